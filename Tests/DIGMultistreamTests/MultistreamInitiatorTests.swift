import DIGNet
import Testing

@testable import DIGMultistream

@Suite("multistream-select initiator")
struct MultistreamInitiatorTests {
    @Test("proposes in order until one is taken")
    func order() {
        var machine = MultistreamInitiator(proposing: ["/a", "/b", "/c"])
        #expect(machine.started() == .send([.header, .protocolID("/a")]))
        #expect(machine.received(.header) == .none)
        #expect(machine.received(.notAvailable) == .send([.protocolID("/b")]))
        #expect(machine.received(.protocolID("/b")) == .agree("/b"))
    }

    @Test("fails when everything is refused")
    func refused() {
        var machine = MultistreamInitiator(proposing: ["/a"])
        _ = machine.started()
        _ = machine.received(.header)
        #expect(machine.received(.notAvailable) == .fail(ConnectionError(.noCommonProtocol, "")))
    }

    @Test("fails when it has nothing to propose")
    func nothing() {
        var machine = MultistreamInitiator(proposing: [])
        #expect(machine.started() == .fail(ConnectionError(.noCommonProtocol, "")))
    }

    @Test("does not propose what cannot be a name", arguments: ["", "/a\n/b", String(repeating: "a", count: 1024)])
    func badName(name: String) {
        var machine = MultistreamInitiator(proposing: ["/good", ProtocolID(name)])
        #expect(machine.started() == .fail(ConnectionError(.protocolViolation, "")))
    }

    @Test("takes nothing but its own proposal, and the header first")
    func violations() {
        for messages: [MultistreamMessage] in [
            [.protocolID("/a")], [.notAvailable], [.list], [.header, .header], [.header, .list], [.header, .protocolID("/b")],
            [.header, .protocolID("/a/")],
        ] {
            var machine = MultistreamInitiator(proposing: ["/a", "/b"])
            _ = machine.started()
            for message in messages.dropLast() { _ = machine.received(message) }
            #expect(messages.last.map { machine.received($0) } == .fail(ConnectionError(.protocolViolation, "")), "\(messages)")
        }
    }
}
