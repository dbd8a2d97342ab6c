# SPDX-License-Identifier: GPL-3.0-or-later
# frozen_string_literal: true

require "logstash/event"

module Java
  module OrgLogstashExecution
    class AbortedBatchException < StandardError; end
  end
end

module LogStash
  class ConfigurationError < StandardError; end

  # The pipeline's stop, which the parent process tells by a signal.
  module Stop
    %w[TERM INT].each { |signal| trap(signal) { @requested = true } }

    def self.requested? = @requested
  end

  module Outputs
    # What an output inherits: declared settings become instance variables, events come by `multi_receive`.
    class Base
      class << self
        def named = @@named ||= {}
        def config_name(name = nil) = name ? (named[@config_name = name] = self) : @config_name
        def config(name, options = {}) = settings[name.to_s] = options
        def settings = @settings ||= {}
        def concurrency(*) = nil
        def default(name, value) = config(name, default: value)
      end

      attr_reader :logger, :id

      def initialize(id, values, logger)
        @id = id
        @logger = logger
        values.each { |name, value| instance_variable_set("@#{name}", value) }
      end

      def pipeline_shutdown_requested? = LogStash::Stop.requested?

      def register = nil
      def close = nil
      def multi_receive(events) = events.each { |event| receive(event) }
    end
  end
end
