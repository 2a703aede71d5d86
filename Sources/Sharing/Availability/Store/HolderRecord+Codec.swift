import DIGIdentity
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// As bytes to be kept: the protobuf `Holder`.
extension HolderRecord {
    /// Ours: more reports of one pair are not read. The table keeps fewer.
    private static let maximumReportCount = 256

    /// What ``init(kept:)`` reads.
    package var kept: [UInt8] {
        var message = Dig_Availability_V1_Holder()
        switch self.status {
        case .available: message.status = 0
        case .suspect: message.status = 1
        case .unavailable: message.status = 2
        }
        message.announcedAt = self.announcedAt
        message.claimedUntil = self.claimedUntil
        message.isWithdrawn = self.isWithdrawn
        message.reports = self.reports.map { report in
            var held = Dig_Availability_V1_HeldReport()
            held.reporter = Data(report.reporter.bytes)
            held.reason = report.reason.rawValue
            held.timestampMs = report.timestampMilliseconds
            return held
        }
        message.clearedAt = self.clearedAt
        message.doubtedAt = self.doubtedAt
        message.provedAt = self.provedAt
        message.askedAt = self.askedAt
        message.changedAt = self.changedAt
        message.tries = UInt32(clamping: self.tries)
        // Never is the commonest, so it is what takes no room.
        message.verifyAt = self.verifyAt == .max ? 0 : self.verifyAt
        message.isUrgent = self.isUrgent
        // Fails for required fields only, of which there are none.
        do { return try message.serializedBytes() } catch { return [] }
    }

    /// Nil for bytes that were never kept by this software.
    package init?(kept bytes: [UInt8]) {
        let message: Dig_Availability_V1_Holder
        do { message = try Dig_Availability_V1_Holder(serializedBytes: bytes) } catch { return nil }
        // A record changes when it is made.
        guard message.reports.count <= Self.maximumReportCount, message.tries <= 1_000, message.changedAt > 0 else { return nil }
        self.init()
        switch message.status {
        case 0: self.status = .available
        case 1: self.status = .suspect
        case 2: self.status = .unavailable
        default: return nil
        }
        self.announcedAt = message.announcedAt
        self.claimedUntil = message.claimedUntil
        self.isWithdrawn = message.isWithdrawn
        for held in message.reports {
            let reporter: PeerID
            do { reporter = try PeerID(bytes: held.reporter) } catch { return nil }
            self.reports.append(
                StoredReport(reporter: reporter, reason: .init(rawValue: held.reason) ?? .other, timestampMilliseconds: held.timestampMs))
        }
        self.clearedAt = message.clearedAt
        self.doubtedAt = message.doubtedAt
        self.provedAt = message.provedAt
        self.askedAt = message.askedAt
        self.changedAt = message.changedAt
        self.tries = Int(message.tries)
        self.verifyAt = message.verifyAt == 0 ? .max : message.verifyAt
        self.isUrgent = message.isUrgent
    }

    /// Nothing in it is later than our clock and others' may be; otherwise what was kept while a clock was wrong would hold for ever.
    func isPlausible(nowMilliseconds now: UInt64) -> Bool {
        let latest = now.adding(AvailabilityReport.maximumClockSkew.millisecondCount)
        return [self.announcedAt, self.clearedAt, self.doubtedAt, self.provedAt, self.askedAt, self.changedAt].allSatisfy { $0 <= latest }
            && self.reports.allSatisfy { $0.timestampMilliseconds <= latest }
            && self.claimedUntil <= now.adding(AvailabilityConfiguration.lifetimeRange.upperBound.millisecondCount).adding(AvailabilityReport.maximumClockSkew.millisecondCount)
    }
}
