import DIGUDP
import NIOCore
import NIOPosix
import Testing

@Suite("UDP endpoint", .timeLimit(.minutes(1)))
struct UDPEndpointTests {
    private let group = MultiThreadedEventLoopGroup.singleton
    private static let quic = ByteBuffer(bytes: [0xc0, 1, 2, 3])

    private func loopback(_ address: String = "127.0.0.1", _ port: Int = 0) throws -> SocketAddress {
        try SocketAddress(ipAddress: address, port: port)
    }

    @Test("hands each protocol its own datagrams")
    func demultiplexing() async throws {
        let receiver = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let sender = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let (stun, dtls, quic) = (RecordingHandler(), RecordingHandler(), RecordingHandler())
        receiver.register(stun, for: .stun)
        receiver.register(dtls, for: .dtls)
        receiver.register(quic, for: .quic)
        await receiver.settle()
        let to = try #require(receiver.localAddresses.first)
        sender.send(ByteBuffer(bytes: [9]), to: to)
        sender.send(ByteBuffer(bytes: [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]), to: to)
        sender.send(ByteBuffer(bytes: [22]), to: to)
        sender.send(Self.quic, to: to)
        #expect(await stun.next()?.payload.readableBytes == 8)
        #expect(await dtls.next()?.payload == ByteBuffer(bytes: [22]))
        let last = await quic.next()
        #expect(last?.payload == Self.quic)
        #expect(last?.source == sender.localAddresses.first)
        #expect(last?.destination == to)
        let statistics = await receiver.statistics()
        #expect(statistics.received == 4)
        #expect(statistics.unclaimed == 1)
        #expect(quic.batchCount > 0)
        await sender.close()
        await receiver.close()
        #expect(quic.isClosed)
    }

    @Test("asks handlers of one kind in the order of registration until one takes the datagram")
    func order() async throws {
        let receiver = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let sender = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let first = RecordingHandler(wants: { $0.payload.readableBytes == 1 })
        let second = RecordingHandler()
        receiver.register(first, for: .quic)
        receiver.register(second, for: .quic)
        await receiver.settle()
        let to = try #require(receiver.localAddresses.first)
        sender.send(ByteBuffer(bytes: [0xc0, 1]), to: to)
        sender.send(ByteBuffer(bytes: [0xc1]), to: to)
        #expect(await second.next()?.payload == ByteBuffer(bytes: [0xc0, 1]))
        #expect(await first.next()?.payload == ByteBuffer(bytes: [0xc1]))
        receiver.unregister(first)
        await receiver.settle()
        sender.send(ByteBuffer(bytes: [0xc2]), to: to)
        #expect(await second.next()?.payload == ByteBuffer(bytes: [0xc2]))
        await sender.close()
        await receiver.close()
    }

    @Test("takes bytes of a TURN channel from the TURN server alone; from others they are QUIC")
    func turnChannel() async throws {
        let receiver = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let server = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let stranger = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let (channel, quic) = (RecordingHandler(), RecordingHandler())
        receiver.register(channel, for: .turnChannel, from: server.localAddresses.first)
        receiver.register(quic, for: .quic)
        await receiver.settle()
        let to = try #require(receiver.localAddresses.first)
        stranger.send(ByteBuffer(bytes: [0x40, 0, 0, 1]), to: to)
        #expect(await quic.next()?.source == stranger.localAddresses.first)
        server.send(ByteBuffer(bytes: [0x40, 0, 0, 2]), to: to)
        #expect(await channel.next()?.source == server.localAddresses.first)
        for endpoint in [receiver, server, stranger] { await endpoint.close() }
    }

    @Test("answers from the address that was asked, though bound to all of them")
    func sourceAddress() async throws {
        let receiver = try await UDPEndpoint.bind(group: self.group)
        let echo = RecordingHandler(answer: { datagram, endpoint in
            endpoint.send(datagram.payload, to: datagram.source, from: datagram.destination)
        })
        receiver.register(echo, for: .quic)
        await receiver.settle()
        let port = try #require(receiver.port(for: .inet))
        for address in ["127.0.0.1", "127.0.0.2", "127.9.9.9"] {
            let sender = try await UDPEndpoint.bind([self.loopback()], group: self.group)
            let answers = RecordingHandler()
            sender.register(answers, for: .quic)
            await sender.settle()
            let to = try self.loopback(address, port)
            sender.send(Self.quic, to: to)
            #expect(await echo.next()?.destination == to)
            #expect(await answers.next()?.source == to)
            await sender.close()
        }
        await receiver.close()
    }

    @Test("has the same port in both address families, and answers over IPv6 from the address asked")
    func families() async throws {
        let receiver = try await UDPEndpoint.bind(group: self.group)
        guard let port = receiver.port(for: .inet6) else {
            print("UDP over IPv6: this machine has none")
            await receiver.close()
            return
        }
        #expect(receiver.port(for: .inet) == port)
        let echo = RecordingHandler(answer: { datagram, endpoint in
            endpoint.send(datagram.payload, to: datagram.source, from: datagram.destination)
        })
        receiver.register(echo, for: .quic)
        await receiver.settle()
        let sender: UDPEndpoint
        do {
            sender = try await UDPEndpoint.bind([self.loopback("::1")], group: self.group)
        } catch let error as UDPError where error.code == .addressUnavailable {
            print("UDP over IPv6: this machine has no ::1")
            await receiver.close()
            return
        }
        let answers = RecordingHandler()
        sender.register(answers, for: .quic)
        await sender.settle()
        let to = try self.loopback("::1", port)
        sender.send(Self.quic, to: to)
        #expect(await answers.next()?.source == to)
        await sender.close()
        await receiver.close()
    }

    @Test("stays open whatever the network says about what it sent")
    func errors() async throws {
        let endpoint = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let gone = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let nobody = try #require(gone.localAddresses.first)
        await gone.close()
        // Nobody listens; no route from a loopback address; no such port; longer than UDP allows; no socket of that family.
        endpoint.send(Self.quic, to: nobody)
        endpoint.send(Self.quic, to: try self.loopback("203.0.113.1", 9))
        endpoint.send(Self.quic, to: try self.loopback("255.255.255.255", 9))
        endpoint.send(Self.quic, to: try self.loopback("127.0.0.1", 0))
        endpoint.send(ByteBuffer(repeating: 0xc0, count: 70_000), to: nobody)
        endpoint.send(Self.quic, to: try self.loopback("::1", 9))
        let statistics = await endpoint.statistics()
        #expect(statistics.refused >= 3)

        let handler = RecordingHandler()
        endpoint.register(handler, for: .quic)
        await endpoint.settle()
        endpoint.send(Self.quic, to: try #require(endpoint.localAddresses.first))
        #expect(await handler.next()?.payload == Self.quic)
        await endpoint.close()
    }

    @Test("says that a port is taken, and leaves nothing bound")
    func addressInUse() async throws {
        let holder = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let taken = try #require(holder.localAddresses.first)
        await #expect(throws: UDPError(.addressInUse, "")) {
            _ = try await UDPEndpoint.bind([self.loopback("127.0.0.2", taken.port ?? 0), taken], group: self.group)
        }
        let other = try await UDPEndpoint.bind([self.loopback("127.0.0.2", taken.port ?? 0)], group: self.group)
        await other.close()
        await #expect(throws: UDPError(.addressUnavailable, "")) {
            _ = try await UDPEndpoint.bind([self.loopback("192.0.2.1")], group: self.group)
        }
        await holder.close()
    }

    @Test("tells a handler that comes too late that it is closed, and drops what is sent then")
    func closed() async throws {
        let endpoint = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        await endpoint.close()
        await endpoint.close()
        let handler = RecordingHandler()
        endpoint.register(handler, for: .quic)
        #expect(await handler.next() == nil)
        endpoint.send(Self.quic, to: try self.loopback("127.0.0.1", 9))
        #expect(await endpoint.statistics().sent == 0)
    }

    @Test("cuts a datagram that is too long, and takes many at once")
    func floods() async throws {
        var configuration = UDPConfiguration()
        configuration.maximumDatagramByteCount = 128
        let receiver = try await UDPEndpoint.bind([self.loopback()], group: self.group, configuration: configuration)
        let sender = try await UDPEndpoint.bind([self.loopback()], group: self.group)
        let handler = RecordingHandler()
        receiver.register(handler, for: .quic)
        await receiver.settle()
        let to = try #require(receiver.localAddresses.first)
        for index in 0..<200 { sender.send(ByteBuffer(repeating: 0xc0, count: index + 1), to: to) }
        for index in 0..<200 { #expect(await handler.next()?.payload.readableBytes == min(index + 1, 128)) }
        await sender.close()
        await receiver.close()
    }
}

extension UDPEndpoint {
    /// Waits until what was registered counts.
    fileprivate func settle() async { _ = await self.statistics() }
}
