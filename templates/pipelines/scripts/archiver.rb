# SPDX-License-Identifier: GPL-3.0-or-later
#
# Leaves an event as capture made it: what Logstash added on the way in goes, what the archive already holds is cancelled.

def filter(event)
  event.remove("@version")
  event.remove("[event][original]")
  if event.get("[event][id]").nil?
    logger.warn("Skipping a record of the stream that is no event", "metadata" => event.get("@metadata"))
    return []
  end

  event.get("[labels][replay_source]") == "archive" ? [] : [event]
end

test "an event from the stream" do
  in_event { { "event" => { "id" => "id-1", "original" => "192.0.2.77" } } }
  expect("keeps nothing that Logstash added") do |events|
    events.first.to_hash.reject { |name, _| name == "@timestamp" } == { "event" => { "id" => "id-1" } }
  end
end

test "an event replayed from raw logs" do
  in_event { { "event" => { "id" => "id-1" }, "labels" => { "replay_source" => "raw" } } }
  expect("is archived") { |events| events.size == 1 }
end

test "an event replayed from the archive" do
  in_event { { "event" => { "id" => "id-1" }, "labels" => { "replay_source" => "archive" } } }
  expect("is not archived again") { |events| events.empty? }
end

test "a record without an id" do
  in_event { { "message" => "no event" } }
  expect("is not archived") { |events| events.empty? }
end
