# SPDX-License-Identifier: GPL-3.0-or-later
#
# An event of the dead letter queue as it was, with the reason beside it.

def filter(event)
  event.remove("@version")
  event.remove("[event][original]")
  event.set("[error][message]", event.get("[@metadata][dead_letter_queue][reason]"))
  event.set("[error][type]", event.get("[@metadata][dead_letter_queue][plugin_type]"))
  [event]
end

test "a dead letter" do
  in_event do
    { "event" => { "id" => "id-1", "original" => "192.0.2.77" },
      "@metadata" => { "dead_letter_queue" => { "reason" => "status: 400", "plugin_type" => "elasticsearch" } } }
  end
  expect("is the event and its reason") do |events|
    events.first.to_hash.reject { |name, _| name == "@timestamp" } ==
      { "event" => { "id" => "id-1" }, "error" => { "message" => "status: 400", "type" => "elasticsearch" } }
  end
end
