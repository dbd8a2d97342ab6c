# Copyright: Simple Analytics contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# frozen_string_literal: true

require "aws-sdk-core"
require "aws-sigv4"
require "json"
require "net/http"
require "openssl"
require "securerandom"
require "uri"
require "logstash/namespace"
require "logstash/outputs/base"

# Puts each event as JSON into a Kinesis data stream. Returns when Kinesis has confirmed every record: what it
# refuses is sent again, however long that takes, so a stream that cannot take more holds the pipeline back.
class LogStash::Outputs::KinesisStream < LogStash::Outputs::Base
  config_name "kinesis_stream"
  concurrency :shared

  # Name of the stream.
  config :stream, :validate => :string, :required => true

  # Region of the stream.
  config :region, :validate => :string, :required => true

  # URL to use in place of the region's own endpoint.
  config :endpoint, :validate => :string

  # Decides on the shard.
  config :partition_key, :validate => :string, :default => "%{[event][id]}"

  Record = Struct.new(:data, :key) do
    def bytes
      data.bytesize + key.bytesize
    end
  end

  RECORD_BYTES = 1_048_576
  CALL_RECORDS = 500
  CALL_BYTES = 5 * 1_048_576
  KEY_CHARACTERS = 256
  FIRST_PAUSE = 0.1 # seconds
  LONGEST_PAUSE = 20

  def register
    @client = Client.new(@stream, @region, @endpoint)
  end

  def multi_receive(events)
    records = events.filter_map { |event| record(event) }
    calls(records).each { |call| put(call) }
  end

  def close
    @client.close
  end

  private

  def record(event)
    key = event.sprintf(@partition_key)[0, KEY_CHARACTERS]
    record = Record.new(event.to_json, key.empty? ? SecureRandom.uuid : key)
    return record if record.bytes <= RECORD_BYTES

    refuse(event, "A record of #{record.bytes} bytes exceeds the #{RECORD_BYTES} bytes that Kinesis takes")
    nil
  end

  def refuse(event, reason)
    if dead_letters?
      execution_context.dlq_writer.write(event, reason)
    else
      logger.error(reason, :event_id => event.get("[event][id]"), :stream => @stream)
    end
  end

  def dead_letters?
    respond_to?(:execution_context) && execution_context.respond_to?(:dlq_writer) &&
      !execution_context.dlq_writer.inner_writer.is_a?(::LogStash::Util::DummyDeadLetterQueueWriter)
  end

  def calls(records)
    bytes = count = 0
    records.slice_when do |record, following|
      bytes += record.bytes
      count += 1
      full = count == CALL_RECORDS || bytes + following.bytes > CALL_BYTES
      bytes = count = 0 if full
      full
    end
  end

  def put(records)
    pause = FIRST_PAUSE
    until records.empty?
      refused, reason = attempt(records)
      break if refused.empty?

      pause = FIRST_PAUSE if refused.size < records.size
      logger.warn("Sending records again", :count => refused.size, :of => records.size, :stream => @stream, :reason => reason)
      wait(rand * pause)
      pause = [pause * 2, LONGEST_PAUSE].min
      records = refused
    end
  end

  # The records that have to be sent again, and why.
  def attempt(records)
    results = @client.put_records(records)
    refused = records.zip(results).reject { |_, result| result["SequenceNumber"] }
    [refused.map(&:first), refused.map { |_, result| result["ErrorCode"] }.tally]
  rescue Client::Error => e
    [records, e.message]
  end

  def wait(seconds)
    deadline = clock + seconds
    while (left = deadline - clock).positive?
      give_up_batch if shutdown_requested?
      sleep([left, 1].min)
    end
  end

  def clock
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def shutdown_requested?
    respond_to?(:pipeline_shutdown_requested?, true) && pipeline_shutdown_requested?
  end

  # Logstash then leaves the batch in its persisted queue, and brings it again after the next start.
  def give_up_batch
    raise Java::OrgLogstashExecution::AbortedBatchException.new
  end

  # Signed PutRecords calls over connections that stay open, one for each worker that is sending.
  class Client
    Error = Class.new(StandardError)

    NETWORK_ERRORS = [IOError, SystemCallError, SocketError, Timeout::Error, OpenSSL::SSL::SSLError, Net::ProtocolError,
                      Net::HTTPBadResponse, JSON::ParserError].freeze

    def initialize(stream, region, endpoint)
      @stream = stream
      @uri = URI(endpoint || Aws::Partitions::EndpointProvider.resolve(region, "kinesis"))
      @uri.path = "/" if @uri.path.empty?
      @signer = Aws::Sigv4::Signer.new(:service => "kinesis", :region => region, :credentials_provider => Credentials.new)
      @idle = Queue.new
    end

    # One result for each record, in their order.
    def put_records(records)
      items = records.map { |record| { "Data" => [record.data].pack("m0"), "PartitionKey" => record.key } }
      answer = call("PutRecords", "StreamName" => @stream, "Records" => items)
      results = answer.is_a?(Hash) ? Array(answer["Records"]).grep(Hash) : []
      return results if results.size == records.size

      raise Error, "PutRecords answered #{results.size} results for #{records.size} records"
    end

    def close
      @idle.pop.finish until @idle.empty?
    end

    private

    def call(action, parameters)
      response = exchange(request(action, JSON.generate(parameters)))
      return JSON.parse(response.body.to_s) if response.is_a?(Net::HTTPSuccess)

      raise Error, "#{action} answered #{response.code}: #{response.body.to_s[0, 500]}"
    rescue *NETWORK_ERRORS => e
      raise Error, "#{action} failed: #{e.class}: #{e.message}"
    end

    def request(action, body)
      headers = { "Content-Type" => "application/x-amz-json-1.1", "X-Amz-Target" => "Kinesis_20131202.#{action}" }
      signature = @signer.sign_request(:http_method => "POST", :url => @uri, :headers => headers, :body => body)
      Net::HTTP::Post.new(@uri, headers.merge(signature.headers)).tap { |request| request.body = body }
    end

    # A connection on which an exchange failed is not used again.
    def exchange(request)
      connection = idle_connection || connect
      response = connection.request(request)
      @idle << connection
      response
    rescue StandardError
      connection.finish if connection&.started?
      raise
    end

    def idle_connection
      @idle.pop(true)
    rescue ThreadError
      nil
    end

    def connect
      http = Net::HTTP.new(@uri.host, @uri.port)
      http.use_ssl = @uri.scheme == "https"
      http.open_timeout = 5
      http.read_timeout = 30
      http.keep_alive_timeout = 30
      http.start
    end

    # The SDK's own chain. Asked again until it finds any, for an instance profile can come later than Logstash.
    class Credentials
      def credentials
        @provider ||= Aws::CredentialProviderChain.new.resolve
        @provider&.credentials || raise(Error, "no AWS credentials, neither in the environment nor of an instance profile")
      end
    end
  end
end
