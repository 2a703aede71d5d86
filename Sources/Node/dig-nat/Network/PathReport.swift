import DIGCommandLine
import DIGIdentity
import DIGNatTools
import DIGTraversal

/// Tells how peers are being reached: which method is tried, what came of it, and how connections go.
struct PathReport: Sendable {
    let network: NetworkManager
    let console: Console

    /// Runs until cancelled.
    func run() async {
        let events = self.network.traversal.events
        let changes = self.network.traversal.environmentChanges
        await withTaskGroup(of: Void.self) { group in
            let paths = PathEvents(network: self.network, console: self.console)
            group.addTask {
                for await (peer, event) in events {
                    switch event {
                    case .started(let method):
                        self.console.event(["event": "attempt", "peer": .string("\(peer)"), "layer": .string(method.rawValue), "number": .integer(Int64(method.layer))])
                    case .ended(let record): self.ended(record)
                    case .connected: await paths.look(at: peer)
                    }
                }
            }
            group.addTask {
                // What a peer says of its addresses comes after the connection.
                for await _ in changes { await paths.lookAgain() }
            }
            await group.waitForAll()
        }
    }

    private func ended(_ record: AttemptRecord) {
        var event: JSONObject = [
            "event": "attempted", "peer": .string("\(record.peer)"), "layer": .string(record.method.rawValue),
            "seconds": .number(DurationText.seconds(record.duration)),
        ]
        switch record.outcome {
        case .succeeded: event["outcome"] = "succeeded"
        case .overtaken: event["outcome"] = "overtaken"
        case .unfinished(let cause):
            event["outcome"] = "unfinished"
            event["cause"] = .string(cause)
        case .failed(let cause):
            event["outcome"] = "failed"
            event["cause"] = .string(cause)
        }
        self.console.event(event)
    }
}

/// Says each path once, and again when it changes.
private actor PathEvents {
    private let network: NetworkManager
    private let console: Console
    private var said: [PeerID: ConnectionPath] = [:]

    init(network: NetworkManager, console: Console) {
        self.network = network
        self.console = console
    }

    func look(at peer: PeerID) {
        guard let path = self.network.traversal.path(of: peer), self.said.updateValue(path, forKey: peer) != path else { return }
        self.console.event([
            "event": "path", "peer": .string("\(peer)"), "layer": .string(path.method.rawValue), "number": .integer(Int64(path.method.layer)),
            "direct": .boolean(path.isDirect), "address": .string("\(path.address)"), "origin": path.origin.map { .string($0.rawValue) } ?? .null,
        ])
    }

    func lookAgain() {
        for peer in self.said.keys { self.look(at: peer) }
    }
}
