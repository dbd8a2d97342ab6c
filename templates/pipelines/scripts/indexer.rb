# SPDX-License-Identifier: GPL-3.0-or-later
#
# Leaves an event as capture made it and tells the version under which Elasticsearch shall hold it.

require "time"

def filter(event)
  event.remove("@version")
  event.remove("[event][original]")
  if event.get("[event][id]").nil?
    logger.warn("Skipping a record of the stream that is no event", "metadata" => event.get("@metadata"))
    return []
  end

  event.set("[@metadata][version]", milliseconds(event.get("[event][ingested]")))
  [event]
end

# An event that does not say when it was made is older than any that does.
def milliseconds(ingested)
  instant = Time.iso8601(ingested.to_s)
  instant.to_i * 1000 + instant.usec / 1000
rescue ArgumentError
  0
end

test "an event from the stream" do
  in_event { { "event" => { "id" => "id-1", "original" => "192.0.2.77", "ingested" => "2024-05-01T12:00:01.234Z" } } }
  expect("has the milliseconds of its making as version") { |events| events.first.get("[@metadata][version]") == 1_714_564_801_234 }
  expect("keeps nothing that Logstash added") do |events|
    events.first.to_hash.reject { |name, _| name == "@timestamp" } ==
      { "event" => { "id" => "id-1", "ingested" => "2024-05-01T12:00:01.234Z" } }
  end
end

test "an event that does not say when it was made" do
  in_event { { "event" => { "id" => "id-1" } } }
  expect("loses against all others") { |events| events.first.get("[@metadata][version]").zero? }
end

test "a record without an id" do
  in_event { { "message" => "no event" } }
  expect("is not indexed") { |events| events.empty? }
end
