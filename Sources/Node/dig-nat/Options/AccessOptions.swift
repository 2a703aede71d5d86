import ArgumentParser
import DIGAccess
import DIGCommandLine
import DIGIdentity

/// Who may have what is shared.
struct AccessOptions: ParsableArguments {
    @Flag(help: "Everybody may have it, as far as the settings let them.")
    var everyone = false

    @Flag(help: "Only trusted peers (dig-nat trust) may have it, and those with a grant.")
    var onlyTrusted = false

    @Flag(help: "Only those with a grant (dig-nat grant) may have it.")
    var onlyGranted = false

    @Option(help: ArgumentHelp("Only this peer may have it, and those with a grant: a peer id, or a trusted peer's name. May be repeated.", valueName: "peer"))
    var allow: [String] = []

    @Option(help: ArgumentHelp("Only the members in this file may have it, and need not say which of them they are: one member key a line.", valueName: "path"), completion: .file())
    var members: String?

    private var count: Int { [self.everyone, self.onlyTrusted, self.onlyGranted, !self.allow.isEmpty, self.members != nil].count { $0 } }

    /// Whether anything is said.
    var isSet: Bool { self.count > 0 }

    func validate() throws {
        if self.count > 1 { throw ValidationError("Say one of --everyone, --only-trusted, --only-granted, --allow and --members.") }
    }

    /// Nil: nothing is said.
    func access(in store: some AccessStore) async throws -> ContentAccess? {
        if self.everyone { return .everyone }
        if self.onlyTrusted { return .trusted }
        if self.onlyGranted { return .only([]) }
        if let members { return .members(of: try AccessText.ring(fileAt: members)) }
        guard !self.allow.isEmpty else { return nil }
        guard self.allow.count <= ContentAccess.maximumPeerCount else {
            throw CommandFailure(.usage, "at most \(ContentAccess.maximumPeerCount) peers can be named", next: "trust them, and say --only-trusted")
        }
        var peers: Set<PeerID> = []
        for text in self.allow { peers.insert(try await PeerText.peer(text, in: store)) }
        return .only(peers)
    }
}
