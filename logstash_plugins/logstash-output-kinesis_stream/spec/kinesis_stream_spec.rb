# SPDX-License-Identifier: GPL-3.0-or-later
# frozen_string_literal: true

require "logstash/outputs/kinesis_stream"
require "logstash/event"
require_relative "kinesis_stub"

describe LogStash::Outputs::KinesisStream do
  subject(:output) { described_class.new("kinesis", settings, logger).tap(&:register) }

  let(:kinesis) { KinesisStub.new }
  let(:logger) { double("logger", :warn => nil, :error => nil) }
  let(:endpoint) { kinesis.url }
  let(:settings) do
    { "stream" => "events", "region" => "eu-central-1", "endpoint" => endpoint, "partition_key" => "%{[event][id]}" }
  end
  let(:waits) { [] }

  before do
    stub_const("ENV", ENV.to_h.merge("AWS_ACCESS_KEY_ID" => "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY" => "secret"))
    allow(output).to receive(:rand).and_return(1)
    allow(output).to receive(:wait) { |seconds| waits << seconds }
  end

  after do
    output.close
    kinesis.close
  end

  def event(id, text = "")
    LogStash::Event.new("event" => { "id" => id }, "payload" => { "text" => text })
  end

  def events(count)
    (1..count).map { |number| event("id-#{number}") }
  end

  it "puts each event as JSON under its partition key" do
    output.multi_receive([event("id-1", "ä")])
    expect(kinesis.calls.first).to include("StreamName" => "events")
    record = kinesis.records.first
    expect(record["PartitionKey"]).to eq "id-1"
    expect(JSON.parse(record["Data"].unpack1("m0"))).to include("event" => { "id" => "id-1" }, "payload" => { "text" => "ä" })
  end

  it "signs PutRecords for the region" do
    output.multi_receive(events(1))
    headers = kinesis.headers.first
    expect(headers["x-amz-target"]).to eq "Kinesis_20131202.PutRecords"
    expect(headers["content-type"]).to eq "application/x-amz-json-1.1"
    expect(headers["authorization"]).to match %r{\AAWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-central-1/kinesis/aws4_request}
  end

  it "makes no call without events" do
    output.multi_receive([])
    expect(kinesis.calls).to be_empty
  end

  it "keeps its connection" do
    3.times { output.multi_receive(events(1)) }
    expect(kinesis.connections).to eq 1
  end

  it "sends exactly the refused records again" do
    kinesis.answer { |records| records.map { |record| record["PartitionKey"] == "id-2" ? KinesisStub::THROTTLED : KinesisStub::TAKEN } }
    output.multi_receive(events(3))
    expect(kinesis.keys).to eq [%w[id-1 id-2 id-3], %w[id-2]]
    expect(logger).to have_received(:warn)
      .with("Sending records again", include(:count => 1, :of => 3, :reason => { "ProvisionedThroughputExceededException" => 1 }))
  end

  it "waits twice as long each time nothing was taken, up to a limit, and begins anew after progress" do
    11.times { kinesis.answer { |records| records.map { KinesisStub::THROTTLED } } }
    kinesis.answer { |_| [KinesisStub::TAKEN, KinesisStub::THROTTLED] }
    output.multi_receive(events(2))
    expect(waits).to eq [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20, 20, 20, 0.1]
  end

  {
    "a call that is throttled as a whole" => [400, '{"__type":"ProvisionedThroughputExceededException"}'],
    "an expired token" => [400, '{"__type":"ExpiredTokenException"}'],
    "a stream that does not exist yet" => [400, '{"__type":"ResourceNotFoundException"}'],
    "a failure of Kinesis" => [500, '{"__type":"InternalFailure"}'],
    "a gateway's page" => [502, "<html>Bad Gateway</html>"],
    "an answer that is no JSON" => [200, "<html>"],
    "an answer that is no object" => [200, "null"],
    "an answer of other length than the call" => [200, '{"Records":[]}'],
    "an answer cut in half" => :half,
    "a connection reset before the answer" => :reset,
    "a connection closed before the answer" => :close
  }.each do |what, answer|
    it "sends all records again after #{what}" do
      kinesis.answer { |_| answer }
      output.multi_receive(events(2))
      expect(kinesis.keys).to eq [%w[id-1 id-2], %w[id-1 id-2]]
      expect(logger).to have_received(:warn).with("Sending records again", include(:count => 2)).once
    end
  end

  it "tells what Kinesis said" do
    kinesis.answer { |_| [400, '{"__type":"ResourceNotFoundException","message":"Stream events not found"}'] }
    output.multi_receive(events(1))
    expect(logger).to have_received(:warn)
      .with("Sending records again", include(:reason => /PutRecords answered 400: .*Stream events not found/))
  end

  context "with an endpoint on which nobody listens yet" do
    let(:endpoint) { "http://127.0.0.1:#{kinesis.free_port}" }

    it "sends again until somebody does" do
      allow(output).to receive(:wait) { kinesis.listen_on_free_port }
      output.multi_receive(events(1))
      expect(kinesis.keys).to eq [%w[id-1]]
      expect(output).to have_received(:wait).once
    end
  end

  it "asks for credentials until there are some" do
    chain = class_double(Aws::CredentialProviderChain).as_stubbed_const
    provider = instance_double(Aws::Credentials, :credentials => Aws::Credentials.new("AKIDEXAMPLE", "secret"))
    allow(chain).to receive(:new).and_return(double(:resolve => nil), double(:resolve => provider))
    output.multi_receive(events(1))
    expect(logger).to have_received(:warn).with("Sending records again", include(:reason => /no AWS credentials/)).once
    expect(kinesis.keys).to eq [%w[id-1]]
  end

  it "puts at most 500 records into a call" do
    output.multi_receive(events(1001))
    expect(kinesis.keys.map(&:size)).to eq [500, 500, 1]
    expect(kinesis.keys.flatten).to eq(events(1001).map { |event| event.get("[event][id]") })
  end

  it "puts at most 5 MiB into a call" do
    output.multi_receive((1..12).map { |number| event("id-#{number}", "x" * 900_000) })
    expect(kinesis.keys.map(&:size)).to eq [5, 5, 2]
  end

  it "names an event that is larger than Kinesis takes, and sends the others" do
    output.multi_receive([event("large", "x" * 1_048_576), event("id-2")])
    expect(kinesis.keys).to eq [%w[id-2]]
    expect(logger).to have_received(:error).with(/exceeds the 1048576 bytes/, include(:event_id => "large"))
  end

  it "writes an event that is larger than Kinesis takes to the dead letter queue where there is one" do
    stub_const("LogStash::Util::DummyDeadLetterQueueWriter", Class.new)
    writer = double(:inner_writer => Object.new, :write => nil)
    output.define_singleton_method(:execution_context) { Struct.new(:dlq_writer).new(writer) }
    large = event("large", "x" * 1_048_576)
    output.multi_receive([large])
    expect(writer).to have_received(:write).with(large, /exceeds/)
    expect(logger).not_to have_received(:error)
  end

  it "cuts a partition key to what Kinesis takes" do
    output.multi_receive([event("k" * 300)])
    expect(kinesis.keys).to eq [["k" * 256]]
  end

  it "invents a partition key where the event's is empty" do
    output.multi_receive([event(""), event("")])
    expect(kinesis.keys.flatten).to all(match(/\A\h{8}-/)).and satisfy { |keys| keys.uniq.size == 2 }
  end

  it "takes batches of several workers at once" do
    4.times.map { |worker| Thread.new { 20.times { |n| output.multi_receive([event("#{worker}-#{n}")]) } } }.each(&:join)
    expect(kinesis.keys.flatten.uniq.size).to eq 80
  end

  context "without an endpoint" do
    let(:endpoint) { nil }

    it "calls the region's" do
      allow(Net::HTTP).to receive(:new).with("kinesis.eu-central-1.amazonaws.com", 443).and_raise(SocketError)
      allow(output).to receive(:wait).and_throw(:tried)
      expect { output.multi_receive(events(1)) }.to throw_symbol(:tried)
    end
  end

  describe "when Logstash wants to stop" do
    before do
      allow(output).to receive(:wait).and_call_original
      allow(output).to receive(:sleep)
      stub_const("Java::OrgLogstashExecution::AbortedBatchException", Class.new(StandardError))
    end

    it "leaves a batch that cannot be sent to the queue" do
      output.define_singleton_method(:pipeline_shutdown_requested?) { true }
      kinesis.answer { |records| records.map { KinesisStub::THROTTLED } }
      expect { output.multi_receive(events(1)) }.to raise_error(Java::OrgLogstashExecution::AbortedBatchException)
    end

    it "still sends a batch that can be sent" do
      output.define_singleton_method(:pipeline_shutdown_requested?) { true }
      output.multi_receive(events(1))
      expect(kinesis.keys).to eq [%w[id-1]]
    end

    it "goes on until then" do
      output.define_singleton_method(:pipeline_shutdown_requested?) { false }
      kinesis.answer { |records| records.map { KinesisStub::THROTTLED } }
      output.multi_receive(events(1))
      expect(kinesis.keys).to eq [%w[id-1], %w[id-1]]
    end
  end
end
