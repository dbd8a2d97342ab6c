# SPDX-License-Identifier: GPL-3.0-or-later
# frozen_string_literal: true

require "json"
require "socket"

# A server that takes PutRecords calls and answers as told, then as Kinesis does when all is well.
class KinesisStub
  TAKEN = { "SequenceNumber" => "49", "ShardId" => "shardId-000000000000" }.freeze
  THROTTLED = { "ErrorCode" => "ProvisionedThroughputExceededException", "ErrorMessage" => "Rate exceeded" }.freeze

  attr_reader :calls, :headers, :connections

  def initialize
    @calls = []
    @headers = []
    @connections = 0
    @answers = []
    @lock = Mutex.new
    @servers = []
    listen(0)
  end

  def url = "http://127.0.0.1:#{@servers.first.addr[1]}"
  def records = calls.flat_map { |call| call["Records"] }
  def keys = calls.map { |call| call["Records"].map { |record| record["PartitionKey"] } }

  # The next call's results, or [status, body], or :half, :reset, :close; given its records.
  def answer(&block) = @answers << block

  def free_port = @free_port ||= TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
  def listen_on_free_port = listen(@free_port)
  def close = @servers.each(&:close)

  private

  def listen(port)
    server = TCPServer.new("127.0.0.1", port)
    @servers << server
    Thread.new do
      loop { Thread.new(server.accept) { |socket| serve(socket) } }
    rescue IOError, SystemCallError
      nil # closed
    end
  end

  def serve(socket)
    @lock.synchronize { @connections += 1 }
    while socket.gets
      headers = read_headers(socket)
      call = JSON.parse(socket.read(Integer(headers["content-length"])))
      answer = @lock.synchronize do
        @headers << headers
        @calls << call
        @answers.shift
      end
      break unless respond(socket, answer ? answer.call(call["Records"]) : call["Records"].map { TAKEN })
    end
  ensure
    socket.close
  end

  def read_headers(socket)
    headers = {}
    while (line = socket.gets.chomp) != ""
      name, value = line.split(": ", 2)
      headers[name.downcase] = value
    end
    headers
  end

  def respond(socket, answer)
    case answer
    when :close then false
    when :reset
      socket.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack("ii"))
      false
    when :half
      write(socket, 200, '{"Records":[{"Sequ', 200)
      false
    when Array
      status, body = answer.first.is_a?(Hash) ? [200, JSON.generate("Records" => answer)] : answer
      write(socket, status, body, body.bytesize)
    end
  end

  def write(socket, status, body, length)
    socket.write("HTTP/1.1 #{status} X\r\nContent-Length: #{length}\r\n\r\n#{body}")
  end
end
