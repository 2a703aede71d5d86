/// What can happen to a peer's claim to have a content.
public enum AvailabilityEvent: Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// The peer claims, or claims anew, that it has the content.
    case announced
    /// The peer says that it has it no longer.
    case withdrawn
    /// The claim is over and was not renewed.
    case expired
    /// A report was taken; the level is what all reports together make.
    case reported(ReportLevel)
    /// Time has passed; the level is what is left of it.
    case decayed(ReportLevel)
    /// The peer has proven that it has the content.
    case proved
    /// The peer has answered, and has no proof.
    case disproved
    /// The peer could not be asked; there are tries left.
    case unproved
    /// The peer could not be asked in any of the tries; the level is that of the reports.
    case exhausted(ReportLevel)

    public static var allCases: [Self] {
        [.announced, .withdrawn, .expired] + ReportLevel.allCases.map(Self.reported) + ReportLevel.allCases.map(Self.decayed)
            + [.proved, .disproved, .unproved] + ReportLevel.allCases.map(Self.exhausted)
    }

    public var description: String {
        switch self {
        case .announced: "announced"
        case .withdrawn: "withdrawn"
        case .expired: "expired"
        case .reported(let level): "reported, level \(level)"
        case .decayed(let level): "decayed to level \(level)"
        case .proved: "proved"
        case .disproved: "disproved"
        case .unproved: "could not be asked"
        case .exhausted(let level): "could not be asked in any try, level \(level)"
        }
    }
}
