import ArgumentParser
import DIGCommandLine
import DIGIdentity
import DIGMultiformats
import DIGStorage
import DIGTraversal
import Foundation

struct WhyCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Shows how a peer was reached, or why not: the last attempts, step by step, each with its cause.",
        discussion: """
            Without PEER, the last attempts to any peer, and how often each method has worked. The beginning of an id will do, if it is only one peer's.

            EXAMPLES
              dig-nat why 12D3KooWRhid
              dig-nat why --limit 50
            """)

    @Argument(help: ArgumentHelp("The peer's id.", valueName: "peer"))
    var peer: String?

    @Option(help: ArgumentHelp("Attempts shown at most.", valueName: "count"))
    var limit: Int = 20

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func validate() throws {
        if !(1...10_000).contains(self.limit) { throw ValidationError("--limit takes 1 to 10000.") }
    }

    func execute(_ context: CommandContext) async throws {
        let database = try context.database()
        let store = SQLiteAttemptStore(database: database)
        var peer: PeerID?
        if let text = self.peer {
            let known = try await store.attempts(with: nil, limit: SQLiteAttemptStore.maximumCount).map(\.peer)
            peer = try PeerText.peer(text, among: Set(known))
        }
        let attempts = try await store.attempts(with: peer, limit: self.limit)
        let statistics = try await store.statistics(in: nil)
        try database.close()
        guard !attempts.isEmpty else {
            throw CommandFailure(.notFound, peer.map { "nothing was tried to reach \($0)" } ?? "nothing was tried yet", next: "get something first: dig-nat get LINK")
        }
        // Oldest first, as it happened.
        for attempt in attempts.reversed() { context.console.result(Self.text(attempt, namesPeer: peer == nil), event: Self.event(attempt)) }
        guard peer == nil else { return }
        for method in TraversalMethod.allCases {
            guard let sums = statistics[method], sums.attempts > 0 else { continue }
            context.console.result(
                "\(TerminalText.padded(method.rawValue, to: 22)) worked \(sums.successes) of \(sums.attempts) times",
                event: [
                    "event": "method", "layer": .string(method.rawValue), "attempts": .unsigned(sums.attempts), "successes": .unsigned(sums.successes),
                    "meanSeconds": sums.successes > 0 ? .number(DurationText.seconds(sums.successDuration) / Double(sums.successes)) : .null,
                ])
        }
    }

    static func text(_ attempt: AttemptRecord, namesPeer: Bool) -> String {
        let time = Date(timeIntervalSince1970: Double(attempt.startedAt) / 1000).formatted(.iso8601)
        let mark = switch attempt.outcome {
            case .succeeded: "+"
            case .failed: "-"
            case .overtaken, .unfinished: " "
        }
        let peer = namesPeer ? " \(attempt.peer)" : ""
        let addresses = attempt.addresses.isEmpty ? "" : "\n    " + attempt.addresses.map { TerminalText.singleLine($0.description) }.joined(separator: "\n    ")
        return "\(mark) \(time)\(peer) \(TerminalText.singleLine(attempt.description))\(addresses)"
    }

    static func event(_ attempt: AttemptRecord) -> JSONObject {
        var event: JSONObject = [
            "event": "attempted", "peer": .string("\(attempt.peer)"), "layer": .string(attempt.method.rawValue), "startedMs": .unsigned(attempt.startedAt),
            "seconds": .number(DurationText.seconds(attempt.duration)), "addresses": .array(attempt.addresses.map { .string($0.description) }),
            "network": .string(attempt.network.description),
        ]
        switch attempt.outcome {
        case .succeeded: event["outcome"] = "succeeded"
        case .overtaken: event["outcome"] = "overtaken"
        case .unfinished(let cause):
            event["outcome"] = "unfinished"
            event["cause"] = .string(cause)
        case .failed(let cause):
            event["outcome"] = "failed"
            event["cause"] = .string(cause)
        }
        return event
    }
}
