# SPDX-License-Identifier: GPL-3.0-or-later
# frozen_string_literal: true

# The Ruby child of a pipeline: answers each call, a JSON document a line, with ["result", value] or
# ["error", class, message]; log messages go out as ["log", level, logger, text] in between.

require "logstash/event"
require "logstash/outputs/base"

ANSWERS = $stdout.dup
ANSWERS.sync = true
$stdout = $stderr # a script may print
WRITING = Mutex.new

def answer(*document)
  text = JSON.generate(document, allow_nan: true)
  WRITING.synchronize { ANSWERS.puts(text) }
end

# Logs like Logstash's logger: a message and a hash of details.
class Log
  def initialize(name) = @name = name

  { debug: "DEBUG", info: "INFO", warn: "WARNING", error: "ERROR", fatal: "CRITICAL" }.each do |method, level|
    define_method(method) do |message, details = nil|
      answer("log", level, @name, details ? "#{message} #{describe(details)}" : message.to_s)
    end
    define_method("#{method}?") { method != :debug }
  end

  private

  # As a Ruby of Logstash's age prints a hash.
  def describe(details)
    pairs = details.map { |key, value| "#{key.is_a?(Symbol) ? "#{key}:" : "#{key.inspect} =>"} #{value.inspect}" }
    "{#{pairs.join(', ')}}"
  end
end

# Events in transit: a timestamp travels as a hash with a key of its own.
module Wire
  TIMESTAMP = "\0timestamp"

  def self.pack(value)
    case value
    when Hash then value.to_h { |key, item| [utf8(key), pack(item)] }
    when Array then value.map { |item| pack(item) }
    when LogStash::Timestamp then { TIMESTAMP => value.to_s }
    when String, Symbol then utf8(value.to_s)
    else value
    end
  end

  def self.unpack(value)
    case value
    when Hash
      return LogStash::Timestamp.new(value[TIMESTAMP]) if value.key?(TIMESTAMP)

      value.transform_values { |item| unpack(item) }
    when Array then value.map { |item| unpack(item) }
    else value
    end
  end

  # Java takes bytes without an encoding for ISO 8859-1, and replaces what is broken.
  def self.utf8(text)
    text = text.dup.force_encoding(Encoding::ISO_8859_1) if text.encoding == Encoding::BINARY
    text.encode(Encoding::UTF_8).scrub
  end

  def self.dump(event) = pack(event.to_hash_with_metadata)
  def self.load(data) = LogStash::Event.restore(unpack(data))
end

module LogStash
  module Filters
    module Ruby
      class ScriptError < StandardError; end
    end
  end
end

# A script of the ruby filter, or its inline code, in an object of its own.
class Script
  Error = LogStash::Filters::Ruby::ScriptError
  LOG = Log.new("logstash.filters.ruby.script")

  def self.load(path)
    script = new(path)
    script.instance_eval(File.read(path), path)
    raise "Script does not define a filter! Please ensure that you have defined a filter method!" unless
      script.singleton_methods.include?(:filter)

    script
  rescue ::ScriptError, StandardError => e
    raise Error, "Error during load of '#{path}': #{e.inspect}"
  end

  attr_reader :tests

  def initialize(path)
    @__path = path
    @tests = []
  end

  def logger = LOG
  def test(name, &block) = @tests << [name, block]

  def start(params)
    register(params) if respond_to?(:register)
  rescue StandardError => e
    raise Error, "Error during register of '#{@__path}': #{e.inspect}"
  end

  def run_tests
    failed = tests.sum { |name, block| ScriptTest.new(@__path, name, &block).failures }
    raise Error, "Script '#{@__path}' had #{failed} failing tests! Check the error log for details." if failed.positive?

    LOG.info("Test run complete", { script_path: @__path, tests: tests.length }) if tests.any?
  end
end

# A `test` block of a script.
class ScriptTest
  LOG = Log.new("expectcontext")

  def initialize(path, name, &block)
    @path = path
    @name = name
    @parameters = {}
    @events = []
    @expectations = []
    instance_eval(&block)
  end

  def parameters = @parameters = yield
  def in_event = @events.concat([yield].flatten.map { |data| LogStash::Event.new(data) })
  def expect(what, &block) = @expectations << [what, block]

  def failures
    script = Script.load(@path)
    script.start(@parameters)
    results = @events.flat_map { |event| script.filter(event) }
    @expectations.count { |what, block| !met?(what, block, results) }
  end

  private

  def met?(what, block, results)
    return true if block.call(results) == true

    LOG.error("***TEST FAILURE FOR: '#{@name} #{what}'***")
    false
  rescue StandardError => e
    LOG.error("***TEST RAISED ERROR: '#{@name} #{what}'***", { "exception" => e.class.name, "backtrace" => e.backtrace })
    false
  end
end

# The calls.
class Bridge
  def initialize = @plugins = {}

  def load_script(id, path)
    @plugins[id] = Script.load(path)
    @plugins[id].run_tests
  end

  def load_code(id, init, code)
    @plugins[id] = Script.new("(ruby filter code)")
    @plugins[id].instance_eval("#{init}\ndef filter(event)\n#{code}\n[event]\nend", "(ruby filter code)", 0)
  end

  def start_script(id, params) = @plugins[id].start(params)

  # For each event what became of it: the event unless it is gone, the others made of it, and the error if there was one.
  def filter(id, events) = events.map { |data| filter_one(@plugins[id], Wire.load(data)) }

  def output_settings(file)
    require file
    LogStash::Outputs::Base.named.fetch(File.basename(file, ".rb")).settings
  end

  def new_output(id, name, values)
    @plugins[id] = LogStash::Outputs::Base.named[name].new(id, values, Log.new("logstash.outputs.#{name}"))
  end

  def register(id) = @plugins[id].register
  def receive(id, events) = @plugins[id].multi_receive(events.map { |data| Wire.load(data) })
  def close(id) = @plugins[id].close

  private

  def filter_one(script, event)
    results = script.filter(event)
  rescue StandardError => e
    failed(event, e, matched: false)
  else
    outcome(event, results)
  end

  def outcome(event, results)
    same, others = results.partition { |result| result.equal?(event) }
    kept = same.any? && !event.cancelled?
    { event: (Wire.dump(event) if kept), others: others.map { |other| Wire.dump(other) }, matched: true }
  rescue StandardError => e
    failed(event, e, matched: true)
  end

  def failed(event, error, matched:)
    { event: Wire.dump(event), others: [], matched: matched, error: "#{error.class}: #{error.message}" }
  end
end

QUESTIONS = %w[filter output_settings].freeze

bridge = Bridge.new
$stdin.each_line do |line|
  method, *arguments = JSON.parse(line, allow_nan: true)
  begin
    result = bridge.public_send(method, *arguments)
    answer("result", QUESTIONS.include?(method) ? result : nil)
  rescue ScriptError, StandardError => e
    answer("error", e.class.name, e.message)
  end
end
