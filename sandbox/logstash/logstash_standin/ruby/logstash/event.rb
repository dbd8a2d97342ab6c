# SPDX-License-Identifier: GPL-3.0-or-later
# frozen_string_literal: true

require "json"
require "time"
require "logstash/namespace"

# Errors by the names that scripts know.
module Java
  module OrgLogstash
    MissingConverterException = Class.new(StandardError)

    module Accessors
      InvalidFieldSetException = Class.new(StandardError)
    end

    module Event
      InvalidTagsTypeException = Class.new(StandardError)
    end
  end
end

module LogStash
  # A point in time in UTC, to the nanosecond.
  class Timestamp
    include Comparable
    attr_reader :time

    def self.now = new(Time.now)
    def self.at(*args) = new(Time.at(*args))
    def self.coerce(value) = value.is_a?(Timestamp) ? value : new(value)

    def initialize(value = Time.now)
      @time = (value.is_a?(Time) ? value : Time.iso8601(value)).utc
    end

    def to_iso8601
      digits = [3, 6, 9].find { |count| (@time.nsec % 10**(9 - count)).zero? }
      @time.iso8601(digits)
    end

    def to_i = @time.to_i
    def usec = @time.usec
    def to_f = @time.to_f
    def <=>(other) = @time <=> other.time
    alias to_s to_iso8601

    def to_json(*) = to_s.to_json
  end

  # An event as scripts and outputs see it.
  class Event
    FIELD_PATH = /\A(?:\[[^\[\]]+\])+\z/
    METADATA = "@metadata"
    TIMESTAMP = "@timestamp"

    def initialize(data = {})
      hold(Event.convert(data))
      @data["@version"] ||= "1"
      @data[TIMESTAMP] = Timestamp.coerce(@data[TIMESTAMP] || Time.now)
    end

    # An event as it was elsewhere: what it lacks it goes on lacking.
    def self.restore(data) = allocate.tap { |event| event.send(:hold, data) }

    # Hash keys become texts and times become timestamps; what an event cannot hold is refused.
    def self.convert(value)
      case value
      when Hash then value.to_h { |key, item| [key.to_s, convert(item)] }
      when Array then value.map { |item| convert(item) }
      when Time then Timestamp.new(value)
      when nil, true, false, String, Symbol, Integer, Float, Timestamp then value
      else raise Java::OrgLogstash::MissingConverterException, "Missing Converter handling for full class name=#{value.class}"
      end
    end

    def self.path(reference)
      return [reference] unless reference.match?(/[\[\]]/)

      reference = reference[1..-2] while reference.start_with?("[[") && reference.end_with?("]]")
      raise "Invalid FieldReference: `#{reference}`" unless reference.match?(FIELD_PATH)

      reference[1..-2].split("][")
    end

    def get(reference)
      root, path = locate(reference)
      path.reduce(root) do |value, key|
        case value
        when Hash then value[key]
        when Array then key.match?(/\A-?\d+\z/) ? value[key.to_i] : nil
        end
      end
    end

    def include?(reference)
      root, path = locate(reference)
      *above, last = path
      parent = above.reduce(root) { |value, key| value.is_a?(Hash) ? value[key] : nil }
      parent.is_a?(Hash) && (last.nil? || parent.key?(last))
    end

    def set(reference, value)
      root, (*above, last) = locate(reference)
      raise ArgumentError, "the stand-in does not replace @metadata as a whole" unless last
      check(reference, value)
      parent = above.reduce(root) { |hash, key| child(hash, key, reference) }
      raise Java::OrgLogstash::Accessors::InvalidFieldSetException, "Could not set '#{reference}' in #{parent.inspect}" unless
        parent.is_a?(Hash)

      parent[last] = Event.convert(value)
    end

    def remove(reference)
      root, (*above, last) = locate(reference)
      parent = above.reduce(root) { |value, key| value.is_a?(Hash) ? value[key] : nil }
      parent.delete(last) if parent.is_a?(Hash)
    end

    def tag(tag)
      tags = @data["tags"] = Array(@data["tags"])
      tags << tag unless tags.include?(tag)
    end

    def sprintf(template)
      template.gsub(/%\{([^}]*)\}/) do |placeholder|
        raise ArgumentError, "the stand-in fills in no dates in Ruby: #{placeholder}" if placeholder.start_with?("%{+", "%{{")

        value = get(Regexp.last_match(1))
        value.nil? ? placeholder : text(value)
      end
    end

    def cancel = @cancelled = true
    def cancelled? = @cancelled
    def timestamp = @data[TIMESTAMP]
    def clone = Event.restore(Event.convert(to_hash_with_metadata))
    def to_hash = @data
    def to_hash_with_metadata = @data.merge(METADATA => @metadata)
    def to_json(*) = @data.to_json

    private

    def hold(data)
      @metadata = data.delete(METADATA) || {}
      @data = data
      @cancelled = false
    end

    def check(reference, value)
      case reference
      when TIMESTAMP
        raise TypeError, "wrong argument type #{value.class} (expected LogStash::Timestamp)" unless value.is_a?(Timestamp)
      when "tags"
        raise Java::OrgLogstash::Event::InvalidTagsTypeException, "tags are texts, not #{value.inspect}" unless
          value.is_a?(String) || (value.is_a?(Array) && value.all?(String))
      end
    end

    def locate(reference)
      path = Event.path(reference)
      path.first == METADATA ? [@metadata, path.drop(1)] : [@data, path]
    end

    def child(hash, key, reference)
      raise Java::OrgLogstash::Accessors::InvalidFieldSetException, "Could not set '#{reference}' in #{hash.inspect}" unless
        hash.is_a?(Hash)

      hash.key?(key) ? hash[key] : hash[key] = {}
    end

    def text(value)
      case value
      when Array then value.map { |item| item.nil? ? "" : text(item) }.join(",")
      when Hash then value.to_json
      else value.to_s
      end
    end
  end
end
