import DIGNet
import NIOCore
import Testing

@testable import DIGSTUN

@Suite("What of an answer is believed")
struct STUNAnswerCheckTests {
    private let server = address("8.8.8.8:3478")

    private func check(_ server: SocketAddress? = nil, answersFrom: SocketAddress? = nil, policy: AddressPolicy = .init()) -> STUNAnswerCheck {
        let server = server ?? self.server
        return STUNAnswerCheck(server: server, answersFrom: answersFrom ?? server, policy: policy, maximumByteCount: 500)
    }

    private func answer(_ mapped: String?, other: String? = nil, _ change: (inout STUNMessage) -> Void = { _ in }) -> ByteBuffer {
        var message = STUNMessage(.successResponse, .binding, transactionID: .random())
        if let mapped { message.append(STUNXORMappedAddress(address(mapped))) }
        if let other { message.append(STUNOtherAddress(address(other))) }
        change(&message)
        return message.encoded()
    }

    private func mapped(_ verdict: STUNAnswerCheck.Verdict) -> SocketAddress? {
        guard case .binding(let binding) = verdict else { return nil }
        return binding.mapped
    }

    @Test("the address the server saw, masked before plain")
    func good() {
        #expect(self.mapped(self.check().check(self.answer("1.2.3.4:5"), from: self.server)) == address("1.2.3.4:5"))
        let both = self.answer("1.2.3.4:5") { $0.append(STUNMappedAddress(address("4.3.2.1:5"))) }
        #expect(self.mapped(self.check().check(both, from: self.server)) == address("1.2.3.4:5"))
        let old = self.answer(nil) { $0.append(STUNMappedAddress(address("4.3.2.1:5"))) }
        #expect(self.mapped(self.check().check(old, from: self.server)) == address("4.3.2.1:5"))
    }

    @Test("nothing from another address or port than the one asked")
    func wrongSource() {
        for source in ["8.8.8.8:3479", "8.8.4.4:3478", "[2001:4860::1]:3478"] {
            #expect(self.check().check(self.answer("1.2.3.4:5"), from: address(source)) == .ignored(STUNError(.wrongSource, "")))
        }
        let elsewhere = self.check(answersFrom: address("8.8.4.4:3479"))
        #expect(self.mapped(elsewhere.check(self.answer("1.2.3.4:5"), from: address("8.8.4.4:3479"))) != nil)
        #expect(elsewhere.check(self.answer("1.2.3.4:5"), from: self.server) == .ignored(STUNError(.wrongSource, "")))
    }

    @Test("nothing damaged, cut or giant; a better answer may still come")
    func damaged() {
        var bytes = Array(self.answer("1.2.3.4:5").readableBytesView)
        bytes[27] ^= 1
        #expect(self.check().check(ByteBuffer(bytes: bytes), from: self.server) == .ignored(STUNError(.badFingerprint, "")))
        #expect(self.check().check(ByteBuffer(bytes: bytes.dropLast(4)), from: self.server) == .ignored(STUNError(.malformed, "")))
        let giant = self.answer("1.2.3.4:5") { $0.append(STUNPadding(byteCount: 500)) }
        #expect(self.check().check(giant, from: self.server) == .ignored(STUNError(.malformed, "")))
        // Our own request, sent back.
        #expect(self.check().check(STUNMessage.bindingRequest().encoded(), from: self.server) == .ignored(STUNError(.malformed, "")))
    }

    @Test("no address at all, one that can't be read, or an answer to another question ends the request")
    func malformed() {
        #expect(self.check().check(self.answer(nil), from: self.server) == .failed(STUNError(.malformed, "")))
        let short = self.answer(nil) { $0.attributes.append(STUNAttribute(type: .xorMappedAddress, value: [0, 1, 2])) }
        #expect(self.check().check(short, from: self.server) == .failed(STUNError(.malformed, "")))
        let unknown = self.answer("1.2.3.4:5") { $0.attributes.append(STUNAttribute(type: STUNAttributeType(rawValue: 0x7fff), value: [])) }
        #expect(self.check().check(unknown, from: self.server) == .failed(STUNError(.malformed, "")))
        let optional = self.answer("1.2.3.4:5") { $0.attributes.append(STUNAttribute(type: STUNAttributeType(rawValue: 0xff00), value: [])) }
        #expect(self.mapped(self.check().check(optional, from: self.server)) != nil)
        let method = STUNMessage(.successResponse, STUNMethod(rawValue: 3) ?? .binding, transactionID: .random()).encoded()
        #expect(self.check().check(method, from: self.server) == .failed(STUNError(.malformed, "")))
    }

    @Test("a refusal, with its reason")
    func refusal() throws {
        var message = STUNMessage(.errorResponse, .binding, transactionID: .random())
        #expect(self.check().check(message.encoded(), from: self.server) == .failed(STUNError(.malformed, "")))
        message.append(STUNErrorCode.unknownAttribute)
        guard case .failed(let error) = self.check().check(message.encoded(), from: self.server) else {
            Issue.record("not refused")
            return
        }
        #expect(error.code == .errorResponse)
        #expect((error.cause as? STUNErrorCode)?.code == 420)
    }

    @Test(
        "no private address seen from the internet",
        arguments: [
            "10.0.0.1:1", "192.168.1.1:1", "172.16.0.1:1", "127.0.0.1:1", "169.254.169.254:80", "100.64.0.1:1", "0.0.0.0:1", "224.0.0.1:1",
            "255.255.255.255:1", "203.0.113.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "[fe80::1]:1", "[fc00::1]:1", "[64:ff9b::7f00:1]:1", "1.2.3.4:0",
        ])
    func privateAddress(text: String) {
        #expect(self.check().check(self.answer(text), from: self.server) == .failed(STUNError(.addressRefused, "")))
    }

    @Test("a server in the local network sees local addresses, but none that nobody has")
    func localServer() {
        let local = address("127.0.0.1:3478")
        #expect(self.mapped(self.check(local).check(self.answer("127.0.0.1:9"), from: local)) != nil)
        #expect(self.mapped(self.check(local).check(self.answer("192.168.1.1:9"), from: local)) != nil)
        #expect(self.check(local).check(self.answer("0.0.0.0:9"), from: local) == .failed(STUNError(.addressRefused, "")))
        #expect(self.check(local).check(self.answer("224.0.0.1:9"), from: local) == .failed(STUNError(.addressRefused, "")))
        let laboratory = AddressPolicy(treatsDocumentationAsPublic: true)
        let server = address("203.0.113.10:3478")
        #expect(self.mapped(self.check(server, policy: laboratory).check(self.answer("198.51.100.7:9"), from: server)) != nil)
        #expect(self.check(server, policy: laboratory).check(self.answer("10.0.0.1:9"), from: server) == .failed(STUNError(.addressRefused, "")))
    }

    @Test("a second address only if it is another one, and no door into our own network")
    func otherAddress() {
        func other(_ text: String, server: String = "8.8.8.8:3478") -> SocketAddress? {
            let server = address(server)
            guard case .binding(let binding) = self.check(server).check(self.answer("1.2.3.4:5", other: text), from: server) else { return nil }
            return binding.otherAddress
        }
        #expect(other("8.8.4.4:3479") == address("8.8.4.4:3479"))
        for refused in ["8.8.4.4:3478", "8.8.8.8:3479", "10.0.0.1:80", "127.0.0.1:80", "169.254.169.254:80", "8.8.4.4:0", "[2001:4860::1]:9", "0.0.0.0:9", "224.0.0.1:9"] {
            #expect(other(refused) == nil, "\(refused)")
        }
        #expect(other("127.0.0.2:3479", server: "127.0.0.1:3478") != nil)
        #expect(other("192.168.1.1:80", server: "127.0.0.1:3478") == nil)
        // One that can't be read is as if it was not there.
        let damaged = self.answer("1.2.3.4:5") { $0.attributes.append(STUNAttribute(type: .otherAddress, value: [1])) }
        #expect(self.mapped(self.check().check(damaged, from: self.server)) != nil)
    }
}
