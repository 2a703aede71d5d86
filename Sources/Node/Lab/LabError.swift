/// A lab could not be built, used or measured.
public struct LabError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Switch on this.
    public var code: Code
    /// For a person: what, where, and what to do about it. Never parsed.
    public var message: String

    public struct Code: Hashable, Sendable {
        private enum Value { case needsRoot, missingTool, invalidPlan, invalidScenario, unknownName, programNotFound, commandFailed, notReady, timedOut, stateUnusable, unsupported }
        private let value: Value
        /// Namespaces and firewall rules are the administrator's: run as root.
        public static let needsRoot = Self(value: .needsRoot)
        /// A program the lab stands on is not installed; the message names the package.
        public static let missingTool = Self(value: .missingTool)
        /// The description is contradictory or out of range.
        public static let invalidPlan = Self(value: .invalidPlan)
        /// The scenario file can't be read as one.
        public static let invalidScenario = Self(value: .invalidScenario)
        /// No such host, home or lab.
        public static let unknownName = Self(value: .unknownName)
        /// There is no such program to run on a host.
        public static let programNotFound = Self(value: .programNotFound)
        /// A command of the lab's own (`ip`, `nft`) failed; its words are in the message.
        public static let commandFailed = Self(value: .commandFailed)
        /// A daemon of the lab's own did not come up.
        public static let notReady = Self(value: .notReady)
        /// What was waited for did not happen in time.
        public static let timedOut = Self(value: .timedOut)
        /// The record of running labs can't be read or written.
        public static let stateUnusable = Self(value: .stateUnusable)
        /// The machine is no Linux.
        public static let unsupported = Self(value: .unsupported)
    }

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// There is no such part of a lab.
    ///
    /// - Parameters:
    ///   - what: A host, a machine …
    ///   - candidates: What there is; the closest is suggested.
    public static func unknown(_ what: String, _ name: String, among candidates: [String]) -> LabError {
        LabError(.unknownName, "there is no \(what) \"\(name)\"" + NameSuggestion.words(for: name, listing: candidates))
    }

    /// There is no such kind of NAT.
    public static func unknownKind(_ name: String) -> LabError {
        let names = NATKind.allCases.map(\.rawValue)
        return LabError(.unknownName, "\"\(name)\" is no kind of NAT (natlab kinds lists them)" + NameSuggestion.words(for: name, among: names))
    }

    public static func == (lhs: LabError, rhs: LabError) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }
    public var description: String { self.message }
}
