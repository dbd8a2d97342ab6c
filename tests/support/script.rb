# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs a ruby filter's script as Logstash does: `ruby script.rb test SCRIPT` its own test blocks,
# `ruby script.rb run SCRIPT` a job on standard input ({"params": …, "events": […]}), one JSON line for each event that leaves.

require_relative "logstash"

class Context
  attr_reader :tests, :logged

  def initialize(script, nested: false)
    @tests = []
    @logged = []
    @script = script
    @nested = nested
    instance_eval(File.read(script), script, 1)
  end

  def logger = self
  def warn(message, details = {}) = @logged << [message, details]
  def register(_params) = nil
  def test(name, &block) = @nested ? nil : @tests << TestBlock.new(Context.new(@script, nested: true), name, &block)
end

class TestBlock
  def initialize(context, name, &block)
    @context = context
    @name = name
    @expectations = {}
    instance_eval(&block)
  end

  def parameters = @context.register(yield)
  def in_event = @events = [yield].flatten(1)
  def expect(name, &block) = @expectations[name] = block

  def failures
    results = @events.flat_map { |event| @context.filter(LogStash::Event.new(event)) }
    @expectations.reject { |_, block| block.call(results) }.keys.map { |name| "#{@name}: #{name}" }
  end
end

command, script = ARGV
context = Context.new(script)
if command == "test"
  failures = context.tests.flat_map(&:failures)
  puts "#{context.tests.size} tests, #{failures.size} failed", failures
  exit failures.empty? && !context.tests.empty?
end

job = JSON.parse($stdin.read)
context.register(job.fetch("params"))
job.fetch("events").each do |event|
  $stdout.puts JSON.generate(context.filter(LogStash::Event.new(event)).map(&:to_hash_with_metadata))
end
warn JSON.generate(context.logged)
