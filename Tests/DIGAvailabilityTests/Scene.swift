import DIGAnnouncement
import DIGContent
import DIGIdentity
import Foundation

@testable import DIGAvailability

/// Peers, contents and times for tests, the same in every run.
enum Scene {
    static let now: UInt64 = 1_795_255_900_000
    static let second: UInt64 = 1_000
    static let minute: UInt64 = 60_000
    static let hour: UInt64 = 3_600_000

    static func digest(_ text: String) -> SHA256Digest { SHA256Digest(hashing: Array(text.utf8)) }
    static func content(_ number: Int) -> ContentHash { ContentHash(digest: Self.digest("content \(number)")) }

    static func peer(_ number: Int) -> PeerID {
        do { return try PeerID(bytes: [0x12, 0x20] + Self.digest("peer \(number)").bytes) } catch { fatalError("\(error)") }
    }

    static func announcement(_ peer: PeerID, _ content: ContentHash, at time: UInt64, isAvailable: Bool = true) -> ContentAnnouncement {
        ContentAnnouncement(peer: peer, key: RendezvousKey(content), isAvailable: isAvailable, timestampMilliseconds: time)
    }

    static func report(by reporter: PeerID, _ peer: PeerID, _ content: ContentHash, at time: UInt64) -> AvailabilityReport {
        AvailabilityReport(reporter: reporter, reported: peer, content: content, timestampMilliseconds: time)
    }

    /// The package's folder.
    static let package = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")

    /// Resident memory of this process in bytes.
    static var residentByteCount: Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 4_096 } ?? 0
    }
}
