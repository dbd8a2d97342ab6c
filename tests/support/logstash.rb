# SPDX-License-Identifier: GPL-3.0-or-later
#
# As much of Logstash as a script of a ruby filter touches, so that the scripts run unchanged in CRuby.
# vectors/filters of a real Logstash say how it behaves.

require "json"
require "time"

module LogStash
  class Timestamp
    attr_reader :time

    def self.at(seconds)
      new(Time.at(seconds))
    end

    def initialize(time = Time.now)
      @time = (time.is_a?(String) ? Time.iso8601(time) : time).utc
    end

    def to_i = @time.to_i
    def usec = @time.usec
    def to_s = @time.iso8601(3)
    def to_json(*args) = to_s.to_json(*args)
    def ==(other) = other.is_a?(Timestamp) && time == other.time
  end

  class Event
    def initialize(data = {})
      @data = { "@version" => "1" }.merge(data)
      @data["@timestamp"] = Timestamp.new(*@data["@timestamp"]) unless @data["@timestamp"].is_a?(Timestamp)
      @cancelled = false
    end

    def get(reference)
      path(reference).reduce(@data) { |value, name| value.is_a?(Hash) ? value[name] : nil }
    end

    def set(reference, value)
      *parents, name = path(reference)
      parents.reduce(@data) { |hash, parent| hash[parent] ||= {} }[name] = value
    end

    def remove(reference)
      *parents, name = path(reference)
      hash = parents.reduce(@data) { |value, parent| value.is_a?(Hash) ? value[parent] : nil }
      hash.delete(name) if hash.is_a?(Hash)
    end

    def to_hash_with_metadata = @data
    def to_hash = @data.reject { |name, _| name == "@metadata" }

    private

    def path(reference)
      reference.start_with?("[") ? reference[1..-2].split("][") : [reference]
    end
  end
end
