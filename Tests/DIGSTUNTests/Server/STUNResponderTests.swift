import DIGTestSupport
import NIOCore
import Testing

@testable import DIGSTUN

@Suite("What a STUN server answers")
struct STUNResponderTests {
    private let start = ContinuousClock.now
    private let client = address("198.51.100.7:40000")
    private let primary = address("203.0.113.1:3478")
    private let alternate = address("203.0.113.2:3479")

    private func configuration(discovery: Bool = false) -> STUNServerConfiguration {
        var configuration = STUNServerConfiguration()
        configuration.burstCount = 100_000
        if discovery { configuration.behaviorDiscovery = .init(primary: self.primary, alternate: self.alternate) }
        return configuration
    }

    private struct Answer {
        var message: STUNMessage
        var byteCount: Int
        var hasFingerprint: Bool
        var destination: SocketAddress
        var source: SocketAddress?
    }

    private func ask(_ request: ByteBuffer, at local: SocketAddress? = nil, _ responder: inout STUNResponder) throws -> Answer? {
        guard case .respond(let bytes, let destination, let source) = responder.received(
            request, from: self.client, at: local ?? self.primary, now: self.start)
        else { return nil }
        let received = try ReceivedSTUNMessage(decoding: bytes)
        #expect(received.hasValidFingerprint != false)
        return Answer(
            message: received.message, byteCount: bytes.readableBytes, hasFingerprint: received.hasValidFingerprint == true, destination: destination,
            source: source)
    }

    private func request(_ change: (inout STUNMessage) -> Void = { _ in }) -> STUNMessage {
        var message = STUNMessage.bindingRequest()
        change(&message)
        return message
    }

    @Test("where the request came from, from where it came in, with a fingerprint only if the request had one")
    func binding() throws {
        var responder = STUNResponder(self.configuration())
        for hasFingerprint in [true, false] {
            let request = self.request()
            let answer = try #require(try self.ask(request.encoded(hasFingerprint: hasFingerprint), &responder))
            #expect(answer.message.messageClass == .successResponse)
            #expect(answer.message.transactionID == request.transactionID)
            #expect(try answer.message.value(STUNXORMappedAddress.self)?.address == self.client)
            #expect(answer.message.attributes.count == 1)
            #expect(answer.hasFingerprint == hasFingerprint)
            #expect(answer.destination == self.client)
            #expect(answer.source == self.primary)
        }
    }

    @Test("with two addresses, from the one that the request wants (RFC 5780 §6.1)")
    func changes() throws {
        var responder = STUNResponder(self.configuration(discovery: true))
        func text(_ address: SocketAddress?) -> String { "\(address?.ipAddress ?? ""):\(address?.port ?? 0)" }
        let cases: [(at: String, ip: Bool, port: Bool, from: String, other: String)] = [
            ("203.0.113.1:3478", false, false, "203.0.113.1:3478", "203.0.113.2:3479"),
            ("203.0.113.1:3478", true, true, "203.0.113.2:3479", "203.0.113.2:3479"),
            ("203.0.113.1:3478", true, false, "203.0.113.2:3478", "203.0.113.2:3479"),
            ("203.0.113.1:3478", false, true, "203.0.113.1:3479", "203.0.113.2:3479"),
            ("203.0.113.2:3478", false, false, "203.0.113.2:3478", "203.0.113.1:3479"),
            ("203.0.113.2:3479", true, true, "203.0.113.1:3478", "203.0.113.1:3478"),
            ("203.0.113.1:3479", false, true, "203.0.113.1:3478", "203.0.113.2:3478"),
        ]
        for (at, ip, port, from, other) in cases {
            let request = self.request { $0.append(STUNChangeRequest(changesAddress: ip, changesPort: port)) }
            let answer = try #require(try self.ask(request.encoded(), at: address(at), &responder))
            #expect(text(answer.source) == from)
            #expect(answer.destination == self.client)
            #expect(try text(answer.message.value(STUNResponseOrigin.self)?.address) == from)
            #expect(try text(answer.message.value(STUNOtherAddress.self)?.address) == other)
            #expect(try answer.message.value(STUNMappedAddress.self)?.address == self.client)
        }
        // Came in at an address that is not part of it.
        let plain = try #require(try self.ask(self.request().encoded(), at: address("203.0.113.9:3478"), &responder))
        #expect(!plain.message.contains(.otherAddress))
        let change = self.request { $0.append(STUNChangeRequest(changesAddress: true, changesPort: true)) }
        let refused = try #require(try self.ask(change.encoded(), at: address("203.0.113.9:3478"), &responder))
        #expect(try refused.message.value(STUNErrorCode.self) == .unknownAttribute)
    }

    @Test("two addresses have to differ in IP address and port, and be of one family")
    func configurationOfDiscovery() {
        typealias Discovery = STUNServerConfiguration.BehaviorDiscovery
        #expect(Discovery(primary: self.primary, alternate: address("203.0.113.2:3478")) == nil)
        #expect(Discovery(primary: self.primary, alternate: address("203.0.113.1:3479")) == nil)
        #expect(Discovery(primary: self.primary, alternate: address("[2001:db8::1]:3479")) == nil)
        #expect(Set(Discovery(primary: self.primary, alternate: self.alternate)?.addresses ?? []).count == 4)
    }

    @Test("error 420, naming the attributes, for what it does not do")
    func unknownAttributes() throws {
        var responder = STUNResponder(self.configuration())
        let request = self.request {
            $0.append(STUNChangeRequest(changesAddress: true, changesPort: true))
            $0.append(STUNPadding(byteCount: 4))
            if let port = STUNResponsePort(53) { $0.append(port) }
            $0.attributes.append(STUNAttribute(type: STUNAttributeType(rawValue: 0xff00), value: []))
        }
        let answer = try #require(try self.ask(request.encoded(), &responder))
        #expect(answer.message.messageClass == .errorResponse)
        #expect(try answer.message.value(STUNErrorCode.self)?.code == 420)
        #expect(try answer.message.value(STUNUnknownAttributes.self)?.types == [.changeRequest, .padding, .responsePort])
        #expect(answer.destination == self.client)
        #expect(answer.source == self.primary)
    }

    @Test("to another port of the client only if configured, never with padding, never to another address")
    func responsePort() throws {
        var configuration = self.configuration(discovery: true)
        configuration.honoursResponsePort = true
        var responder = STUNResponder(configuration)
        let request = self.request { if let port = STUNResponsePort(53) { $0.append(port) } }
        let answer = try #require(try self.ask(request.encoded(), &responder))
        #expect(answer.destination == address("198.51.100.7:53"))
        let padded = self.request {
            if let port = STUNResponsePort(53) { $0.append(port) }
            $0.append(STUNPadding(byteCount: 400))
        }
        let refused = try #require(try self.ask(padded.encoded(), &responder))
        #expect(try refused.message.value(STUNErrorCode.self) == .badRequest)
        #expect(refused.destination == self.client)
    }

    @Test("never more than the request, but for a short answer")
    func amplification() throws {
        var configuration = self.configuration(discovery: true)
        configuration.software = String(repeating: "s", count: 600)
        configuration.maximumRequestByteCount = 9000
        var responder = STUNResponder(configuration)
        for padding in stride(from: 0, through: 8000, by: 52) {
            let encoded = self.request { if padding > 0 { $0.append(STUNPadding(byteCount: padding)) } }.encoded(hasFingerprint: padding % 104 == 0)
            let answer = try #require(try self.ask(encoded, &responder))
            #expect(answer.byteCount <= max(encoded.readableBytes, STUNResponder.maximumShortAnswerByteCount), "padding \(padding)")
        }
        // Errors too.
        for count in [1, 8, 40] {
            let encoded = self.request { message in
                for index in 0..<count {
                    message.attributes.append(STUNAttribute(type: STUNAttributeType(rawValue: 0x4000 + UInt16(index)), value: []))
                }
            }.encoded()
            let answer = try #require(try self.ask(encoded, &responder))
            #expect(answer.byteCount <= STUNResponder.maximumShortAnswerByteCount)
        }
    }

    @Test("nothing to what is no binding request, leaving it to others on the port")
    func notOurs() {
        var responder = STUNResponder(self.configuration())
        for message in [
            STUNMessage(.indication, .binding, transactionID: .random()), STUNMessage(.successResponse, .binding, transactionID: .random()),
            STUNMessage(.errorResponse, .binding, transactionID: .random()),
            STUNMessage(.request, STUNMethod(rawValue: 3) ?? .binding, transactionID: .random()),
        ] {
            #expect(responder.received(message.encoded(), from: self.client, at: self.primary, now: self.start) == .notOurs)
        }
        #expect(responder.received(ByteBuffer(), from: self.client, at: self.primary, now: self.start) == .notOurs)
    }

    @Test("nothing to the damaged, the giant, those with credentials, and impossible sources")
    func dropped() {
        var responder = STUNResponder(self.configuration())
        func reason(_ request: ByteBuffer, from source: SocketAddress? = nil) -> STUNResponder.Reason? {
            guard case .drop(let reason) = responder.received(request, from: source ?? self.client, at: self.primary, now: self.start) else { return nil }
            return reason
        }
        var damaged = self.request().encoded()
        damaged.setInteger(UInt32(7), at: 12)
        #expect(reason(damaged) == .badFingerprint)
        damaged.setInteger(UInt16(3), at: 2)
        #expect(reason(damaged) == .malformed)
        #expect(reason(self.request { $0.append(STUNPadding(byteCount: 2000)) }.encoded()) == .tooLong)
        #expect(reason(self.request { $0.append(STUNUsername("a:b")) }.encoded()) == .credentials)
        #expect(reason(self.request().encoded(integrity: [(.sha1, .shortTerm(password: "x"))])) == .credentials)
        #expect(reason(self.request().encoded(), from: address("198.51.100.7:0")) == .invalidSource)
        #expect(reason(self.request().encoded(), from: address("224.0.0.1:9")) == .invalidSource)
        #expect(reason(self.request().encoded(), from: address("0.0.0.0:9")) == .invalidSource)
    }

    @Test("no more than the rate limit allows")
    func rateLimit() {
        var responder = STUNResponder(STUNServerConfiguration())
        var answered = 0
        for _ in 0..<100 {
            if case .respond = responder.received(self.request().encoded(), from: self.client, at: self.primary, now: self.start) { answered += 1 }
        }
        #expect(answered == 20)
        #expect(responder.received(self.request().encoded(), from: self.client, at: self.primary, now: self.start) == .drop(.rateLimited))
        let next = responder.received(self.request().encoded(), from: self.client, at: self.primary, now: self.start + .milliseconds(200))
        guard case .respond = next else {
            Issue.record("not answered after 200 ms")
            return
        }
    }

    @Test("damaged requests neither trap nor make it send more, or elsewhere")
    func randomDamage() {
        var configuration = self.configuration(discovery: true)
        configuration.honoursResponsePort = true
        configuration.software = "test"
        var responder = STUNResponder(configuration)
        var generator = SeededGenerator(seed: 5780)
        let requests = [
            self.request().encoded(hasFingerprint: false),
            self.request { $0.append(STUNChangeRequest(changesAddress: true, changesPort: true)) }.encoded(hasFingerprint: false),
            self.request { $0.append(STUNPadding(byteCount: 40)) }.encoded(hasFingerprint: false),
            self.request { if let port = STUNResponsePort(9) { $0.append(port) } }.encoded(hasFingerprint: false),
        ].map { Array($0.readableBytesView) }
        var answered = 0
        for round in 0..<20_000 {
            let damaged = generator.mutated(requests[round % requests.count])
            let now = self.start + .seconds(round)
            guard case .respond(let answer, let destination, _) = responder.received(ByteBuffer(bytes: damaged), from: self.client, at: self.primary, now: now)
            else { continue }
            answered += 1
            #expect(destination.ipAddress == self.client.ipAddress)
            #expect(answer.readableBytes <= max(damaged.count, STUNResponder.maximumShortAnswerByteCount))
        }
        #expect(answered > 100)
    }
}
