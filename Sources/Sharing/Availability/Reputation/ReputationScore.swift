/// A reputation at one moment, each part from 0 to 1, 0.5 where nothing is known.
public struct ReputationScore: Hashable, Sendable, Codable {
    /// It gave what it claims to have.
    public var success: Double
    /// What it gave was right.
    public var quality: Double
    /// It could be reached, and stayed.
    public var stability: Double
    /// Bytes a second; `nil` if unknown.
    public var rate: Double?

    /// Of a peer that nothing is known of.
    public static let unknown = ReputationScore(success: 0.5, quality: 0.5, stability: 0.5, rate: nil)
    /// Ours: this rate makes half of what speed can make, in bytes a second.
    public static let halfRate = 1_048_576.0
    /// Ours: below, a peer's claims are not worth more than those that are suspect. Two disappointments and no success.
    public static let doubtfulSuccess = 0.3

    /// Each part from 0 to 1, the rate in bytes a second.
    public init(success: Double, quality: Double, stability: Double, rate: Double?) {
        self.success = success
        self.quality = quality
        self.stability = stability
        self.rate = rate
    }

    /// ``rate`` from 0 to 1.
    public var speed: Double { self.rate.map { $0 / ($0 + Self.halfRate) } ?? 0.5 }
    /// All in one: 0.45 success, 0.25 quality, 0.15 stability, 0.15 speed.
    public var value: Double { 0.45 * self.success + 0.25 * self.quality + 0.15 * self.stability + 0.15 * self.speed }
    /// Whether ``success`` is below ``doubtfulSuccess``.
    public var isDoubtful: Bool { self.success < Self.doubtfulSuccess }
}
