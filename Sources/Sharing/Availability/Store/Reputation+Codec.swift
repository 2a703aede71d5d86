import SwiftProtobuf

/// As bytes to be kept: the protobuf `Experiences`.
extension Reputation {
    /// What ``init(kept:)`` reads.
    package var kept: [UInt8] {
        var message = Dig_Availability_V1_Experiences()
        message.success = Self.message(self.success)
        message.stability = Self.message(self.stability)
        message.quality = Self.message(self.quality)
        message.credibility = Self.message(self.credibility)
        if let rate = self.rate { message.rate = rate }
        message.seenAt = self.seenAt
        // Fails for required fields only, of which there are none.
        do { return try message.serializedBytes() } catch { return [] }
    }

    /// Nil for bytes that were never kept by this software.
    package init?(kept bytes: [UInt8]) {
        let message: Dig_Availability_V1_Experiences
        do { message = try Dig_Availability_V1_Experiences(serializedBytes: bytes) } catch { return nil }
        guard let success = Self.beta(message.success), let stability = Self.beta(message.stability), let quality = Self.beta(message.quality),
            let credibility = Self.beta(message.credibility)
        else { return nil }
        self.init(
            success: success, stability: stability, quality: quality, credibility: credibility, rate: message.hasRate ? message.rate : nil, seenAt: message.seenAt)
    }

    private static func message(_ beta: DecayingBeta) -> Dig_Availability_V1_Experiences.Beta {
        var message = Dig_Availability_V1_Experiences.Beta()
        message.good = beta.good
        message.bad = beta.bad
        message.updatedAt = beta.updatedAt
        return message
    }

    private static func beta(_ message: Dig_Availability_V1_Experiences.Beta) -> DecayingBeta? {
        DecayingBeta(good: message.good, bad: message.bad, updatedAt: message.updatedAt)
    }
}
