public import Foundation

/// What is written down about a lab that stands, so that another process can use it or clean up after it.
///
/// It is written before the first namespace is made: whatever a crash leaves behind can be found.
public struct LabRecord: Codable, Hashable, Sendable {
    /// Five letters and digits, in the name of each namespace.
    public var id: String
    /// Whether it is kept standing for a person (`natlab up`) and has no owner.
    public var isStanding: Bool
    public var owner: LabOwner
    public var created: Date
    /// What it was built for, in words: a scenario's name.
    public var title: String
    public var plan: LabPlan
    /// How often each router was rebooted, by machine; decides its external address.
    public var reboots: [String: Int]

    /// Who needs the lab.
    public enum State: String, Hashable, Sendable {
        /// Kept for a person, until `natlab down`.
        case standing
        /// Its owner runs.
        case inUse = "in-use"
        /// Its owner died; `natlab down --all` removes it, and so does the next lab that is built.
        case leftBehind = "left-behind"
    }

    public var state: State { self.isStanding ? .standing : self.owner.isAlive ? .inUse : .leftBehind }

    /// All namespaces of all labs begin with this.
    public static let namespacePrefix = "dnl-"

    /// What every namespace of this lab begins with.
    public var prefix: String { Self.prefix(of: self.id) }

    static func prefix(of id: String) -> String { "\(self.namespacePrefix)\(id)-" }

    /// The lab a namespace belongs to; `nil` if it is nobody's of ours.
    static func id(ofNamespace name: String) -> String? {
        guard name.hasPrefix(self.namespacePrefix) else { return nil }
        let rest = name.dropFirst(self.namespacePrefix.count)
        guard let end = rest.firstIndex(of: "-") else { return nil }
        let id = String(rest[..<end])
        return self.isID(id) ? id : nil
    }

    static let idLength = 5

    static func isID(_ text: String) -> Bool {
        text.utf8.count == self.idLength && text.utf8.allSatisfy { self.alphabet.contains($0) }
    }

    static func randomID(using generator: inout some RandomNumberGenerator) -> String {
        String(decoding: (0..<self.idLength).map { _ in self.alphabet.randomElement(using: &generator) ?? 0x61 }, as: UTF8.self)
    }

    /// No letters that look like digits.
    private static let alphabet = Array("abcdefghjkmnpqrstuvwxyz23456789".utf8)
}
