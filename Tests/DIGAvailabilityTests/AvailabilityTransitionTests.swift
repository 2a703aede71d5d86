import Foundation
import Testing

@testable import DIGAvailability

@Suite("State machine of availability")
struct AvailabilityTransitionTests {
    typealias Transition = AvailabilityTransition

    /// Event by event what it makes of available, suspect and unavailable.
    static let expected: [(AvailabilityEvent, Transition, Transition, Transition)] = [
        (.announced, .init(.available), .init(.suspect), .init(.unavailable, .verifyNow)),
        (.withdrawn, .init(.unavailable), .init(.unavailable), .init(.unavailable)),
        (.expired, .init(.available), .init(.suspect), .init(.unavailable)),
        (.reported(.none), .init(.available), .init(.suspect), .init(.unavailable)),
        (.reported(.low), .init(.suspect, .verifyLater), .init(.suspect), .init(.unavailable)),
        (.reported(.medium), .init(.suspect, .verifyLater), .init(.suspect), .init(.unavailable)),
        (.reported(.high), .init(.suspect, .verifyNow), .init(.suspect, .verifyNow), .init(.unavailable)),
        (.decayed(.none), .init(.available), .init(.available, .verifyLater), .init(.unavailable)),
        (.decayed(.low), .init(.available), .init(.suspect), .init(.unavailable)),
        (.decayed(.medium), .init(.available), .init(.suspect), .init(.unavailable)),
        (.decayed(.high), .init(.available), .init(.suspect), .init(.unavailable)),
        (.proved, .init(.available, .clearReports), .init(.available, .clearReports), .init(.available, .clearReports)),
        (.disproved, .init(.unavailable), .init(.unavailable), .init(.unavailable)),
        (.unproved, .init(.available, .retry), .init(.suspect, .retry), .init(.unavailable, .retry)),
        (.exhausted(.none), .init(.suspect, .verifyLater), .init(.suspect, .verifyLater), .init(.unavailable)),
        (.exhausted(.low), .init(.suspect, .verifyLater), .init(.suspect, .verifyLater), .init(.unavailable)),
        (.exhausted(.medium), .init(.suspect, .verifyLater), .init(.suspect, .verifyLater), .init(.unavailable)),
        (.exhausted(.high), .init(.unavailable), .init(.unavailable), .init(.unavailable)),
    ]

    @Test("every event in every state")
    func table() {
        #expect(Self.expected.map(\.0) == AvailabilityEvent.allCases)
        for (event, available, suspect, unavailable) in Self.expected {
            #expect(Transition(from: .available, on: event) == available, "available, \(event)")
            #expect(Transition(from: .suspect, on: event) == suspect, "suspect, \(event)")
            #expect(Transition(from: .unavailable, on: event) == unavailable, "unavailable, \(event)")
        }
    }

    @Test("to the letter of the seed a high level makes unavailable, and nothing else differs")
    func strict() {
        for event in AvailabilityEvent.allCases {
            for status in PeerContentStatus.allCases {
                let strict = Transition(from: status, on: event, rules: .init(strictWhitepaper: true))
                let expected = event == .reported(.high) ? Transition(.unavailable) : Transition(from: status, on: event)
                #expect(strict == expected, "\(status), \(event)")
            }
        }
    }

    @Test("without verification nobody is asked, reports make nobody unavailable, and whoever comes back is suspect")
    func withoutVerification() {
        for event in AvailabilityEvent.allCases {
            for status in PeerContentStatus.allCases {
                let transition = Transition(from: status, on: event, rules: .init(verifies: false))
                #expect([.none, .clearReports].contains(transition.action))
                if case .reported = event { #expect(transition.status != .unavailable || status == .unavailable) }
            }
        }
        #expect(Transition(from: .unavailable, on: .announced, rules: .init(verifies: false)) == Transition(.suspect))
        #expect(Transition(from: .suspect, on: .decayed(.none), rules: .init(verifies: false)) == Transition(.available))
    }

    @Test("raw values are the seed's")
    func rawValues() {
        #expect(PeerContentStatus.allCases.map(\.rawValue) == ["available", "suspect", "unavailable"])
        #expect(ReportLevel.allCases.map(\.rawValue) == ["none", "low", "medium", "high"])
        #expect(ReportLevel.allCases == ReportLevel.allCases.sorted())
    }

    @Test("the table in docs/AVAILABILITY.md is the function")
    func document() throws {
        let text = try String(contentsOf: Scene.package.appendingPathComponent("docs/AVAILABILITY.md"), encoding: .utf8)
        #expect(text.contains(Transition.table()), "put this into docs/AVAILABILITY.md:\n\(Transition.table())")
    }

    @Test(
        "levels at their boundaries",
        arguments: [
            (0.0, 0, ReportLevel.none), (1, 1, .none), (2, 2, .low), (3, 3, .medium), (4, 4, .medium), (5, 5, .high), (5, 3, .high), (5, 2, .medium), (2, 1, .low), (16, 2, .medium),
            (1.000_000_000_1, 2, .none), (1.01, 2, .low), (2.01, 3, .medium), (4, 5, .medium), (4.01, 5, .high),
        ])
    func levels(weight: Double, reporterCount: Int, expected: ReportLevel) {
        #expect(ReportLevel(weight: weight, reporterCount: reporterCount) == expected)
    }
}
