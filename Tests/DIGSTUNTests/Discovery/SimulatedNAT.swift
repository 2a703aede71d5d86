import DIGTestSupport
import NIOCore

@testable import DIGSTUN

/// A NAT with servers behind it, as a value: what happens to each question of ``NATBehaviorStateMachine``.
struct SimulatedNAT {
    enum Server {
        case plain
        /// Answers from its other address if asked to.
        case twoAddresses(other: SocketAddress)
        /// Says that it has another address, but ignores what is asked for.
        case pretender(other: SocketAddress)
        case silent
        case refusing
    }

    var mapping = NATMapping.endpointIndependent
    var filtering = NATFiltering.addressAndPortDependent
    var preservesPort = true
    var hairpins = false
    /// Nil: no translation.
    var externalAddress: String? = "198.51.100.7"
    var servers: [(address: SocketAddress, kind: Server)]

    static let insideAddress = "192.168.1.11"
    static let sharedPort = 40_000

    private var sentTo: [NATBehaviorStateMachine.Question.Port: [SocketAddress]] = [:]
    private var nextPort = 20_000
    private var ports: [String: Int] = [:]

    init(servers: [(address: SocketAddress, kind: Server)]) { self.servers = servers }

    private func localPort(_ port: NATBehaviorStateMachine.Question.Port) -> Int {
        switch port {
        case .shared: Self.sharedPort
        case .fresh: 40_001
        case .second: 40_002
        }
    }

    private mutating func mapped(_ port: NATBehaviorStateMachine.Question.Port, _ destination: SocketAddress) -> SocketAddress {
        guard let externalAddress = self.externalAddress else { return DIGSTUNTests.address("\(Self.insideAddress):\(self.localPort(port))") }
        let key =
            switch self.mapping {
            case .endpointIndependent, .unknown: "\(port)"
            case .addressDependent: "\(port) \(destination.ipAddress ?? "")"
            case .addressAndPortDependent: "\(port) \(destination)"
            }
        if self.ports[key] == nil {
            self.ports[key] = self.preservesPort && self.mapping == .endpointIndependent ? self.localPort(port) : self.nextPort
            self.nextPort += 1
        }
        return DIGSTUNTests.address("\(externalAddress):\(self.ports[key] ?? 0)")
    }

    /// A packet leaves: the mapping is made and the filter opened.
    mutating func sent(_ question: NATBehaviorStateMachine.Question) {
        self.sentTo[question.port, default: []].append(question.destination)
        _ = self.mapped(question.port, question.destination)
    }

    private func letsIn(_ source: SocketAddress, to port: NATBehaviorStateMachine.Question.Port) -> Bool {
        let known = self.sentTo[port, default: []]
        return switch self.filtering {
        case .endpointIndependent, .unknown: true
        case .addressDependent: known.contains { $0.ipAddress == source.ipAddress }
        case .addressAndPortDependent: known.contains(source)
        }
    }

    mutating func answer(to question: NATBehaviorStateMachine.Question) -> Result<STUNBinding, STUNError> {
        let timedOut = Result<STUNBinding, STUNError>.failure(STUNError(.timedOut, ""))
        if question.kind == .hairpin {
            return self.hairpins ? .success(STUNBinding(mapped: question.destination, source: question.destination)) : timedOut
        }
        var other: SocketAddress?
        var origin = question.destination
        for (address, kind) in self.servers {
            switch kind {
            case .plain where address == question.destination: break
            case .silent where address == question.destination: return timedOut
            case .refusing where address == question.destination: return .failure(STUNError(.errorResponse, ""))
            case .twoAddresses(let second), .pretender(let second):
                var combined = second
                combined.port = address.port
                guard [address, second, combined].contains(question.destination) else { continue }
                other = second
                if case .twoAddresses = kind {
                    if question.change?.changesPort == true { origin.port = second.port }
                    if question.change?.changesAddress == true { origin = second }
                } else if question.change != nil {
                    return .failure(STUNError(.wrongSource, ""))
                }
            default: continue
            }
            guard self.letsIn(origin, to: question.port) else { return timedOut }
            return .success(STUNBinding(mapped: self.mapped(question.port, question.destination), source: origin, otherAddress: other))
        }
        return timedOut
    }

    /// Runs a discovery. Answers come in an order that `generator` draws.
    mutating func discover(using generator: inout SeededGenerator) -> NATBehavior? {
        var machine = NATBehaviorStateMachine(
            servers: self.servers.map(\.address), localPort: Self.sharedPort, localAddresses: [Self.insideAddress, "127.0.0.1"])
        var open: [NATBehaviorStateMachine.Question] = []
        while true {
            while let output = machine.poll() {
                switch output {
                case .ask(let question):
                    self.sent(question)
                    open.append(question)
                case .finished(let behavior):
                    return open.isEmpty ? behavior : nil
                }
            }
            guard !open.isEmpty else { return nil }
            let question = open.remove(at: Int.random(in: 0..<open.count, using: &generator))
            switch self.answer(to: question) {
            case .success(let binding): machine.answered(question, binding)
            case .failure(let error): machine.failed(question, error)
            }
        }
    }
}
