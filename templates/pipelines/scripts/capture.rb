# SPDX-License-Identifier: GPL-3.0-or-later
#
# One line of a CloudFront access log in; an event, a malformed record or nothing (no hit on the pixel) out.
# docs/events.md describes all three. The event is a new one, so that nothing an input or codec adds
# (event.original holds the whole address) can travel on.

require "cgi"
require "digest"
require "ipaddr"
require "json"
require "openssl"

# Every reason a line can be malformed for.
REASONS = %w[
  no_field_list unknown_layout too_few_columns too_many_columns bad_time empty_query invalid_encoding
  invalid_base64 invalid_json not_an_object too_deep too_large internal_error
].freeze

# Without these columns a layout (RTMP, real-time logs) is none of ours.
NEEDED_COLUMNS = %w[date time cs-method cs-uri-stem cs-uri-query].freeze

QUERY_BYTES = 8_192 # CloudFront logs no longer URL
ID_BYTES = 256 # of a Kinesis partition key; Elasticsearch's _id may have 512
PAYLOAD_DEPTH = 20 # depth_limit of the index's flattened field

KEY = %r{\A(?:Processed/)?(?:Replay/([^/]+)/)?(.*)\z}m
KEY_HOUR = /\.(\d{4}-\d\d-\d\d)-(\d\d)\.[^.\/]+(?:\.gz)?\z/
DATE = /\A\d{4}-\d\d-\d\d\z/
TIME = /\A\d\d:\d\d:\d\d\z/
NUMBER = /\A\d{1,9}(?:\.\d{1,9})?\z/
BASE64URL = /\A[A-Za-z0-9_-]*={0,2}\z/
SURROGATE = /\\u[dD][89abAB]\h\h\\u[dD][c-fC-F]\h\h|(\\u[dD][89a-fA-F]\h\h)|\\./m
URL = %r{\A([a-z][a-z0-9+.-]*)://(?:[^/?#@]*@)?(\[[\h:.]+\]|[^/?#:]*)(?::\d*)?([^?#]*)(?:\?([^#]*))?}i
# An address that stands alone, as in c-ip and x-forwarded-for, whatever the layout.
ADDRESS = /(?<=\A|[\s,\[]|\\x20|\\t|%20|%5B)(?:\d{1,3}(?:\.\d{1,3}){3}|[\h:.]*:[\h:.]+)(?=\z|[\s,:\]\\%])/

Malformed = Class.new(StandardError)
LogObject = Struct.new(:key, :manifest, :fields)

# A line's columns by name; nil for what the layout lacks or the line leaves empty.
Row = Struct.new(:layout, :columns) do
  def [](name)
    value = columns[layout.fetch(name, columns.size)]
    value unless value == "-" || value == ""
  end
end

def register(params)
  @pixel_path = Regexp.new(params.fetch("pixel_path"))
  @source_ip = choice(params, "source_ip", %w[truncated absent whole])
  @referrer_query = choice(params, "referrer_query", %w[removed kept])
  @visitor_secret = params["visitor_secret"]
  raise ArgumentError, "visitor_secret is empty: set it, or leave it out for events without user.hash" if @visitor_secret == ""

  @layouts = {}
end

def choice(params, name, values)
  value = params.fetch(name, values.first)
  values.include?(value) ? value : raise(ArgumentError, "#{name} is #{value.inspect}: use one of #{values.join(', ')}")
end

def filter(event)
  line = event.get("message").to_s.chomp.scrub
  return [] if line.start_with?("#") || line.strip.empty?

  manifest, key = KEY.match(event.get("[@metadata][s3][key]").to_s).captures
  object = LogObject.new(key, manifest, event.get("[@metadata][s3][cloudfront][fields]"))
  record = read(line, object)
  record ? [new_event(record)] : []
end

def new_event(record)
  event = LogStash::Event.new(record)
  event.remove("@version")
  event
end

def read(line, object)
  row = split(line, layout(object.fields))
  raise Malformed, "too_few_columns" if row.columns.size < row.layout.size
  raise Malformed, "too_many_columns" if row.columns.size > row.layout.size

  hit(row, line, object) if row["cs-method"] == "GET" && @pixel_path.match?(row["cs-uri-stem"])
rescue Malformed => e
  malformed(line, object, e.message)
rescue StandardError, SystemStackError => e
  malformed(line, object, "internal_error", e.class.name)
end

def layout(fields)
  raise Malformed, "no_field_list" if fields.to_s.strip.empty?

  # Workers share this script: replacing the hash is atomic, adding to it is not.
  layout = @layouts[fields] || (@layouts = @layouts.merge(fields => positions(fields)))[fields]
  raise Malformed, "unknown_layout" unless NEEDED_COLUMNS.all? { |name| layout.key?(name) }

  layout
end

def positions(fields)
  fields.to_s.split.each_with_index.to_h.freeze
end

def split(line, layout)
  Row.new(layout, line.split("\t", -1))
end

def hit(row, line, object)
  timestamp = timestamp(row["date"], row["time"]) || raise(Malformed, "bad_time")
  sent = payload(row["cs-uri-query"])
  kept = holdable?(sent) ? sent : hold(sent)
  user_agent = row["cs(User-Agent)"] && unescape_fully(row["cs(User-Agent)"])
  id = row["x-edge-request-id"]
  id = Digest::SHA256.hexdigest("#{object.key}\n#{line}") if id.nil? || id.bytesize > ID_BYTES
  {
    "@timestamp" => timestamp,
    "@metadata" => { "route" => "event" },
    "event" => { "id" => id, "dataset" => "simple_analytics.hit", "action" => text(sent["event"]), "ingested" => now }.compact,
    "url" => url(text(sent["url"])),
    "http" => referrer(text(sent["referrer"]) || (row["cs(Referer)"] && unescape_fully(row["cs(Referer)"]))),
    "source" => source(row["c-ip"]),
    "user" => visitor(row["date"], row["c-ip"], user_agent),
    "user_agent" => user_agent && { "original" => user_agent },
    "cdn" => cdn(row),
    "log" => { "file" => { "path" => object.key } },
    "labels" => labels(object.manifest, kept.equal?(sent)),
    "payload" => kept.is_a?(Hash) ? kept : { "json" => kept }
  }.compact
end

def timestamp(date, time)
  return unless DATE.match?(date) && TIME.match?(time)

  year, month, day = date.split("-").map(&:to_i)
  hour, minute, second = time.split(":").map(&:to_i)
  return if hour > 23 || second > 59

  instant = Time.utc(year, month, day, hour, minute, second)
  LogStash::Timestamp.at(instant.to_i) if instant.day == day
rescue ArgumentError
  nil
end

# The three forms of a query, docs/events.md.
def payload(logged)
  raise Malformed, "empty_query" if logged.nil?

  query = unescape(logged)
  raise Malformed, "too_large" if query.bytesize > QUERY_BYTES

  decoded = valid(unescape(query))
  if query.start_with?("e=") && !query.include?("&")
    object_of(base64(decoded.delete_prefix("e=")))
  elsif decoded.start_with?("{") || !query.include?("=")
    object_of(decoded)
  else
    flat(query)
  end
end

def flat(query)
  query.split("&").reject(&:empty?).to_h do |pair|
    pair.tr("+", " ").partition("=").values_at(0, 2).map { |part| unescape(part) }
  end
end

def base64(text)
  raise Malformed, "invalid_base64" unless BASE64URL.match?(text)

  bare = text.delete("=").tr("-_", "+/")
  (bare + "=" * (-bare.size % 4)).unpack1("m0").force_encoding(Encoding::UTF_8)
rescue ArgumentError
  raise Malformed, "invalid_base64"
end

def object_of(text)
  object = JSON.parse(without_lone_surrogates(valid(text)))
  object.is_a?(Hash) ? object : raise(Malformed, "not_an_object")
rescue JSON::NestingError
  raise Malformed, "too_deep"
rescue JSON::ParserError
  raise Malformed, "invalid_json"
end

def valid(text)
  text.valid_encoding? ? text : raise(Malformed, "invalid_encoding")
end

# Half of a pair, left where somebody cut a text inside an emoji, is no character: no store takes it.
def without_lone_surrogates(json)
  return json unless json.include?("\\u")

  json.gsub(SURROGATE) { |escape| Regexp.last_match(1) ? "\\ufffd" : escape }
end

# What every index holds: limited depth, no NUL in a name, numbers of an ordinary size.
def holdable?(value, depth = 1)
  case value
  when Hash then depth <= PAYLOAD_DEPTH && value.all? { |name, item| !name.include?("\0") && holdable?(item, depth + 1) }
  when Array then depth <= PAYLOAD_DEPTH && value.all? { |item| holdable?(item, depth + 1) }
  when Integer then value.bit_length <= 64
  when Float then value.finite?
  else true
  end
end

# Turns what no index holds into a string, as far inside as possible.
def hold(value, depth = 1)
  case value
  when Hash
    return json(value) if depth > PAYLOAD_DEPTH || value.any? { |name, _| name.include?("\0") }

    value.transform_values { |item| hold(item, depth + 1) }
  when Array
    depth > PAYLOAD_DEPTH ? json(value) : value.map { |item| hold(item, depth + 1) }
  when Numeric
    holdable?(value) ? value : value.to_s
  else
    value
  end
end

def json(value)
  JSON.generate(value, allow_nan: true)
end

def text(value)
  value if value.is_a?(String) && !value.empty?
end

def url(original)
  return if original.nil?

  scheme, domain, path, query = URL.match(original)&.captures
  { "original" => original, "scheme" => text(scheme&.downcase), "domain" => text(domain&.downcase), "path" => text(path),
    "query" => text(query) }.compact
end

def referrer(address)
  return if address.nil?

  { "request" => { "referrer" => @referrer_query == "removed" ? address[/\A[^?#]*/] : address } }
end

def source(address)
  return if address.nil? || @source_ip == "absent"

  network = truncated(address)
  network && { "ip" => @source_ip == "whole" ? address : network }
end

def truncated(address)
  ip = IPAddr.new(address).native
  ip.mask(ip.ipv4? ? 24 : 48).to_s
rescue IPAddr::Error
  nil
end

def visitor(date, address, user_agent)
  return if @visitor_secret.nil? || address.nil?

  { "hash" => OpenSSL::HMAC.hexdigest("SHA256", @visitor_secret, "#{date}\0#{address}\0#{user_agent}") }
end

def cdn(row)
  present("edge_location" => row["x-edge-location"], "result_type" => row["x-edge-result-type"], "protocol" => row["cs-protocol"],
          "status" => number(row["sc-status"])&.to_i, "time_taken" => number(row["time-taken"])&.to_f)
end

def present(values)
  values = values.compact
  values unless values.empty?
end

def number(text)
  text if text && NUMBER.match?(text)
end

def labels(manifest, payload_whole)
  present("payload" => payload_whole ? nil : "stringified", "replay" => manifest, "replay_source" => manifest && "raw")
end

def malformed(line, object, reason, error = nil)
  {
    "@timestamp" => malformed_timestamp(line, object),
    "@metadata" => { "route" => "malformed" },
    "event" => { "dataset" => "simple_analytics.malformed", "reason" => reason, "hash" => Digest::SHA256.hexdigest(line),
                 "ingested" => now },
    "error" => error && { "type" => error },
    "log" => { "file" => { "path" => object.key } },
    "labels" => labels(object.manifest, true),
    "cloudfront" => object.fields && { "fields" => object.fields },
    "message" => masked(line)
  }.compact
end

def malformed_timestamp(line, object)
  row = split(line, positions(object.fields))
  date, hour = KEY_HOUR.match(object.key)&.captures
  timestamp(row["date"], row["time"]) || timestamp(date, "#{hour}:00:00") || LogStash::Timestamp.at(Time.now.to_i)
end

def masked(line)
  return line if @source_ip == "whole"

  line.gsub(ADDRESS) { |address| (network = truncated(address)) ? (@source_ip == "absent" ? "-" : network) : address }
end

def now
  Time.now.utc.strftime("%Y-%m-%dT%H:%M:%S.%LZ")
end

# The bytes that a log's or a URL's escapes stand for; unlike in a form, a plus sign is a plus sign.
def unescape(text)
  return text unless text.include?("%")

  CGI.unescape(text.include?("+") ? text.gsub("+", "%2B") : text)
end

# The logs of 2013 to 2018 escape user agent and referrer twice.
def unescape_fully(text)
  unescape(unescape(text).scrub).scrub
end

OBJECT = {
  "key" => "Processed/cloudfront/E1.2024-05-01-12.abcd.gz",
  "cloudfront" => { "fields" => "date time c-ip cs-method cs-uri-stem cs(User-Agent) cs-uri-query x-edge-request-id" }
}.freeze

test "a hit on the pixel" do
  parameters { { "pixel_path" => "^/pixel\\.gif$", "visitor_secret" => "secret" } }
  in_event do
    { "message" => "2024-05-01\t12:00:01\t192.0.2.77\tGET\t/pixel.gif\tcurl/8%20x\te=eyJldmVudCI6InZpZXcifQ\tid-1\n",
      "event" => { "original" => "192.0.2.77" }, "@metadata" => { "s3" => OBJECT } }
  end
  expect("is one event under the request's id") { |events| events.map { |event| event.get("[event][id]") } == ["id-1"] }
  expect("tells the payload's event") { |events| events.first.get("[event][action]") == "view" }
  expect("has the line's time") { |events| events.first.get("@timestamp").to_i == 1_714_564_801 }
  expect("names the object as delivered") { |events| events.first.get("[log][file][path]") == "cloudfront/E1.2024-05-01-12.abcd.gz" }
  expect("holds no whole address") { |events| !events.first.to_hash.to_s.include?("192.0.2.77") }
end

test "a query that is no object" do
  parameters { { "pixel_path" => "^/pixel\\.gif$" } }
  in_event do
    { "message" => "2024-05-01\t12:00:01\t192.0.2.77\tGET\t/pixel.gif\tcurl/8\t%5B1%5D\tid-1", "@metadata" => { "s3" => OBJECT } }
  end
  expect("is malformed, its reason one of the list") do |events|
    events.first.get("[@metadata][route]") == "malformed" && REASONS.include?(events.first.get("[event][reason]"))
  end
end

test "another path" do
  parameters { { "pixel_path" => "^/pixel\\.gif$" } }
  in_event do
    { "message" => "2024-05-01\t12:00:01\t192.0.2.77\tGET\t/robots.txt\tcurl/8\t-\tid-1", "@metadata" => { "s3" => OBJECT } }
  end
  expect("is filtered") { |events| events.empty? }
end
