import DIGNet
import Testing

@testable import DIGMultistream

@Suite("multistream-select responder")
struct MultistreamResponderTests {
    private let supported: [ProtocolID] = ["/noise", "/tls/1.0.0"]

    @Test("refuses simultaneous-connect and goes on")
    func simultaneousConnect() {
        var machine = MultistreamResponder()
        #expect(machine.received(.header, supporting: { self.supported }) == .send([.header]))
        #expect(machine.received(.protocolID("/libp2p/simultaneous-connect"), supporting: { self.supported }) == .send([.notAvailable]))
        #expect(machine.received(.protocolID("/noise"), supporting: { self.supported }) == .agree("/noise"))
    }

    @Test("lists what it speaks")
    func list() {
        var machine = MultistreamResponder()
        _ = machine.received(.header, supporting: { self.supported })
        #expect(machine.received(.list, supporting: { self.supported }) == .send([.protocols(self.supported)]))
    }

    @Test("asks what is spoken anew for each proposal")
    func changing() {
        var machine = MultistreamResponder()
        _ = machine.received(.header, supporting: { [] })
        #expect(machine.received(.protocolID("/noise"), supporting: { [] }) == .send([.notAvailable]))
        #expect(machine.received(.protocolID("/noise"), supporting: { ["/noise"] }) == .agree("/noise"))
    }

    @Test("loses patience after 32 tries")
    func tries() {
        var machine = MultistreamResponder()
        _ = machine.received(.header, supporting: { self.supported })
        for number in 1..<MultistreamResponder.maximumTries {
            #expect(machine.received(.protocolID(ProtocolID("/\(number)")), supporting: { self.supported }) == .send([.notAvailable]))
        }
        #expect(machine.received(.protocolID("/last"), supporting: { self.supported }) == .fail(ConnectionError(.noCommonProtocol, "")))
        #expect(machine.received(.protocolID("/noise"), supporting: { self.supported }) == .fail(ConnectionError(.protocolViolation, "")))
    }

    @Test("wants the header first and no answers")
    func violations() {
        for messages: [MultistreamMessage] in [[.protocolID("/noise")], [.list], [.notAvailable], [.header, .header], [.header, .notAvailable]] {
            var machine = MultistreamResponder()
            for message in messages.dropLast() { _ = machine.received(message, supporting: { self.supported }) }
            #expect(
                messages.last.map { machine.received($0, supporting: { self.supported }) } == .fail(ConnectionError(.protocolViolation, "")),
                "\(messages)")
        }
    }
}
