import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Synchronization

@testable import DIGPeerExchange

/// Many nodes in one process, in virtual time: the real state machines and the real messages, with a delay on each.
struct SimulatedMesh {
    private enum Event {
        case request(PeerExchangeRequest, from: Int, to: Int, link: UInt64)
        case response(PeerExchangeResponse, from: Int, to: Int, link: UInt64)
        case dialed(Int, PeerID)
    }

    struct Node {
        let somebody: Somebody
        let record: SignedPeerRecord
        let responder: PeerExchangeResponder
        var connected: Set<Int> = []
        var isAlive = true
    }

    private static let delay: Duration = .milliseconds(80)

    private(set) var moment = Moment(now: .now, milliseconds: 1_800_000_000_000)
    private(set) var nodes: [Node] = []
    private(set) var messageCount = 0
    private var positions: [PeerID: Int] = [:]
    /// When each node has something to do; nil: now, because something has happened to it.
    private var deadlines: [ContinuousClock.Instant?] = []
    private var queue: [(at: ContinuousClock.Instant, event: Event)] = []
    private var generator: SeededGenerator

    init(_ count: Int, seed: UInt64, _ change: (inout PeerExchangeConfiguration) -> Void = { _ in }) throws {
        self.generator = SeededGenerator(seed: seed)
        var configuration = PeerExchangeConfiguration()
        change(&configuration)
        for index in 0..<count {
            let somebody = try Somebody()
            let responder = PeerExchangeResponder(localPeer: somebody.peer, configuration: configuration.checked, now: self.moment.now)
            let record = try somebody.record(addresses: [address(20, UInt8(index), 1, 1)])
            responder.state.withLock { $0.ownRecordChanged(record) }
            self.positions[somebody.peer] = index
            self.deadlines.append(nil)
            self.nodes.append(Node(somebody: somebody, record: record, responder: responder))
        }
    }

    mutating func connect(_ one: Int, _ other: Int) {
        guard one != other, self.nodes[one].isAlive, self.nodes[other].isAlive, self.nodes[one].connected.insert(other).inserted else { return }
        self.nodes[other].connected.insert(one)
        for (near, far) in [(one, other), (other, one)] {
            self.deadlines[near] = nil
            let record = self.nodes[far].record
            self.nodes[near].responder.state.withLock { [moment] in
                $0.identified(record.peer, speaks: true, record: record, addresses: [], now: moment.now)
            }
        }
    }

    /// A node is gone, without a word.
    mutating func kill(_ index: Int) {
        self.nodes[index].isAlive = false
        for other in self.nodes[index].connected {
            self.nodes[other].connected.remove(index)
            self.deadlines[other] = nil
            let peer = self.nodes[index].somebody.peer
            self.nodes[other].responder.state.withLock { [moment] in $0.disconnected(peer, now: moment.now) }
        }
        self.nodes[index].connected = []
    }

    /// The others that a node knows, whether from themselves or from others.
    func known(by index: Int) -> Set<Int> {
        Set(self.nodes[index].responder.state.withLock { $0.knownPeers }.compactMap { self.positions[$0.peer] })
    }

    /// How many nodes can be reached over connections, the first included, if one is left out.
    func reached(from start: Int, without left: Int) -> Int {
        var reached: Set<Int> = [start]
        var frontier = [start]
        while let index = frontier.popLast() {
            for other in self.nodes[index].connected where other != left && reached.insert(other).inserted { frontier.append(other) }
        }
        return reached.count
    }

    mutating func run(for duration: Duration) {
        let end = self.moment.now + duration
        while true {
            var next = end
            for index in self.nodes.indices where self.nodes[index].isAlive {
                if self.deadlines[index].map({ $0 <= self.moment.now }) ?? true {
                    self.act(index)
                    self.deadlines[index] = self.nodes[index].responder.state.withLock { $0.deadline }
                }
                if let deadline = self.deadlines[index] { next = min(next, deadline) }
            }
            if let event = self.queue.map(\.at).min() { next = min(next, event) }
            guard next < end else { break }
            // A deadline that has passed would stop the clock.
            self.moment = self.moment.after(max(next - self.moment.now, .milliseconds(1)))
            let due = self.queue.filter { $0.at <= self.moment.now }
            self.queue.removeAll { $0.at <= self.moment.now }
            for (_, event) in due { self.happen(event) }
        }
        self.moment = self.moment.after(max(.zero, end - self.moment.now))
    }

    private mutating func act(_ index: Int) {
        let moment = self.moment
        var generator = self.generator
        let actions = self.nodes[index].responder.state.withLock { $0.actions(moment: moment, using: &generator) }
        self.generator = generator
        for action in actions {
            switch action {
            case .push(let request, let peer, let link):
                guard let other = self.positions[peer] else { continue }
                self.queue.append((moment.now + Self.delay, .request(request, from: index, to: other, link: link)))
            case .dial(let peer, _):
                self.queue.append((moment.now + Self.delay, .dialed(index, peer)))
            }
        }
    }

    private mutating func happen(_ event: Event) {
        let moment = self.moment
        switch event {
        case .request(let request, let from, let to, let link):
            self.messageCount += 1
            self.deadlines[to] = nil
            guard self.nodes[to].isAlive else { return }
            let response = self.nodes[to].responder.respond(to: request, from: self.nodes[from].somebody.peer, moment: moment)
            self.queue.append((moment.now + Self.delay, .response(response, from: to, to: from, link: link)))
        case .response(let response, let from, let to, let link):
            let peer = self.nodes[from].somebody.peer
            self.deadlines[to] = nil
            self.nodes[to].responder.state.withLock { $0.pushed(to: peer, link: link, .answered(response.status), now: moment.now) }
        case .dialed(let index, let peer):
            self.deadlines[index] = nil
            let isConnected = self.positions[peer].map { self.nodes[$0].isAlive } ?? false
            if isConnected, let other = self.positions[peer] { self.connect(index, other) }
            self.nodes[index].responder.state.withLock { $0.dialed(peer, isConnected: isConnected, now: moment.now) }
        }
    }
}
