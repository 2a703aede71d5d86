import ArgumentParser
import DIGAccess
import DIGCommandLine
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGStorage
import Foundation

struct GrantCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grant",
        abstract: "Makes a link that lets somebody have something that is not for everybody; lists such grants, and takes them back.",
        discussion: """
            A grant is a permission that this node signs and that the link carries. With --to it is of use to that peer alone, whoever else sees the \
            link; without, whoever has the link has the permission. It ends by itself, or when it is revoked, also while a node runs.

            EXAMPLES
              dig-nat grant holiday.mp4 --to 12D3KooW… --expires 7d
              dig-nat grant 'dig:bciq…?peer=…' --to Anna
              dig-nat grant ls
              dig-nat grant revoke 3f2a
            """,
        subcommands: [GrantMakeCommand.self, GrantListCommand.self, GrantRevokeCommand.self],
        defaultSubcommand: GrantMakeCommand.self)
}

struct GrantMakeCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "make",
        abstract: "Makes a grant and prints the link. This is what \"dig-nat grant REFERENCE\" does.",
        discussion: """
            REFERENCE is a link, whose addresses are kept, or the path, name or content hash of something that is shared here; then the link names the \
            addresses of the node that ran last. A folder stands for what is in it. Who is allowed without a grant is set by "dig-nat access".

            EXAMPLES
              dig-nat grant holiday.mp4 --to 12D3KooW… --expires 7d
              dig-nat grant bciq… --expires 1h
              dig-nat grant --everything --to Anna --note 'may see all of it'
            """)

    @Argument(help: ArgumentHelp("Link, content hash, or a name or path that is shared here.", valueName: "reference"))
    var reference: String?

    @Flag(help: "For everything that this node shares, now and later; prints the token alone.")
    var everything = false

    @Option(help: ArgumentHelp("Whom it is for: a peer id, or a trusted peer's name. (default: whoever has the link)", valueName: "peer"))
    var to: String?

    @Option(help: ArgumentHelp("How long it is good, such as 12h, 7d or 4w.", valueName: "duration"))
    var expires = DurationArgument(.seconds(7 * 86_400))

    @Option(help: ArgumentHelp("What \"grant ls\" is to say about it.", valueName: "text"))
    var note: String?

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func validate() throws {
        if (self.reference == nil) != self.everything { throw ValidationError("Say what it is for, or --everything.") }
        if self.expires.duration < .seconds(1) { throw ValidationError("--expires takes 1s to 366d.") }
        if let note = self.note, note.utf8.count > AccessStoreLimits.nameByteCount { throw ValidationError("--note takes at most \(AccessStoreLimits.nameByteCount) bytes.") }
    }

    func execute(_ context: CommandContext) async throws {
        let database = try context.database()
        let store = SQLiteAccessStore(database: database)
        var holder: PeerID?
        if let to { holder = try await PeerText.peer(to, in: store) }
        let link = try await self.link(database, addresses: KnownAddresses(dataDirectory: try context.dataDirectory()).load(), console: context.console)

        let now = WallClock.nowMilliseconds
        let lifetime = UInt64(max(1000, self.expires.duration / .milliseconds(1)))
        let token = try AccessToken(
            contents: link.map { [$0.contentHash] } ?? [], holder: holder, issuedMilliseconds: now, expiresMilliseconds: now + lifetime, signedBy: try context.ownKey())
        let issued = IssuedToken(token, note: self.note)
        // Before it is printed, so that it can be taken back whatever happens.
        try await store.add(issued, nowMilliseconds: now)
        var event = GrantRow(issued, names: [:], now: now).event
        event["token"] = .string(token.text)
        guard let link else {
            event["link"] = .null
            context.console.result(token.text, event: event)
            return self.tell(issued, console: context.console)
        }
        let granted = try link.withToken(token.text)
        event["link"] = .string("\(granted)")
        context.console.result("\(granted)", event: event)
        self.tell(issued, console: context.console)
        if try await store.facts(about: link.contentHash, keys: [], tokens: []).scopes.contains(where: { $0.access == .everyone }), context.configuration.flag(.anonymous) != false {
            context.console.note("everybody may have it as it is; a grant is needed once you say: dig-nat access \(link.contentHash) --only-trusted")
        }
    }

    private func tell(_ issued: IssuedToken, console: Console) {
        let whom = issued.holder.map { "for \($0)" } ?? "for whoever has it"
        console.note("\(whom), until \(GrantRow.time(issued.expiresMilliseconds)); take it back with: dig-nat grant revoke \(issued.id.description.prefix(8))")
    }

    private func link(_ database: NodeDatabase, addresses: [Multiaddr], console: Console) async throws -> ShareLink? {
        guard let reference else { return nil }
        if case .link(let link)? = try? ContentReference(parsing: reference) { return link }
        let content = try await ContentName.hash(reference, in: database)
        if addresses.isEmpty { console.note("the link names no address, as no node has run here; who gets it finds this node by the content's hash") }
        let shares = SharedContentStore(database: database)
        guard let share = try await shares.share(content) else {
            console.warning("\(content) is not shared here; a grant of this node is good here only")
            return try ShareLink(contentHash: content, peers: addresses)
        }
        let file = share.kind == .file ? try await shares.files(of: content).first : nil
        return try ShareLink(
            contentHash: content, kind: share.kind == .folder ? .folder : .file, size: share.byteCount, root: file?.descriptor.root,
            name: FileNameSanitizer.sanitized(share.name), sha256: file?.sha256, peers: addresses)
    }
}

struct GrantListCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists the grants that this node has made and that are not over, the newest first.",
        discussion: """
            EXAMPLES
              dig-nat grant ls
              dig-nat grant ls --json
            """,
        aliases: ["list"])

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        let database = try context.database()
        let now = WallClock.nowMilliseconds
        let tokens = try await SQLiteAccessStore(database: database).issuedTokens().filter { now < $0.expiresMilliseconds }
        var names: [ContentHash: String] = [:]
        for share in try await SharedContentStore(database: database).shares() { names[share.contentHash] = share.name }
        for token in tokens {
            let row = GrantRow(token, names: names, now: now)
            context.console.result(row.line, event: row.event)
        }
        if tokens.isEmpty { context.console.note("there are no grants; make one with: dig-nat grant REFERENCE --to PEER") }
    }
}

struct GrantRevokeCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Takes grants back.",
        discussion: """
            ID is what "grant ls" prints, or its first digits; a link or token works, too. What somebody has got meanwhile is not undone. \
            A node that runs refuses the grant from then on, also to whoever is being served.

            EXAMPLES
              dig-nat grant revoke 3f2a
              dig-nat grant revoke 'dig:bciq…?token=dig-token-…'
            """)

    @Argument(help: ArgumentHelp("Ids, or their beginnings.", valueName: "id"))
    var grants: [String]

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        let store = SQLiteAccessStore(database: try context.database())
        let issued = try await store.issuedTokens()
        for text in self.grants {
            let (id, expires) = try Self.grant(text, among: issued)
            let wasGood = try await store.revoke(id, expiresMilliseconds: expires)
            context.console.result("\(id)", event: ["event": "revoked", "id": .string("\(id)"), "wasGood": .boolean(wasGood)])
            if !wasGood { context.console.note("\(id) was revoked before, or is not of this node") }
        }
    }

    /// The shortest beginning of an id that is taken.
    private static let minimumPrefixCount = 4

    private static func grant(_ text: String, among issued: [IssuedToken]) throws -> (AccessTokenID, expires: UInt64) {
        var text = text
        if case .link(let link)? = try? ContentReference(parsing: text), let token = link.token { text = token }
        if text.hasPrefix(AccessToken.textPrefix) {
            do throws(AccessError) {
                let token = try AccessToken(parsing: text)
                return (token.id, token.expiresMilliseconds)
            } catch {
                throw CommandFailure(.usage, message: "the token cannot be read: \(error)", advice: "name the grant by its id: dig-nat grant ls")
            }
        }
        let found = text.count >= self.minimumPrefixCount ? issued.filter { $0.id.description.hasPrefix(text.lowercased()) } : []
        if found.count == 1 { return (found[0].id, found[0].expiresMilliseconds) }
        guard found.isEmpty else {
            throw CommandFailure(.usage, "several grants begin with \(text)", details: found.map { "\($0.id)" }, next: "name more of its digits")
        }
        throw CommandFailure(.notFound, "there is no grant \(text)", next: "see which there are with: dig-nat grant ls")
    }
}

/// A grant, as `grant ls` prints it.
struct GrantRow {
    let token: IssuedToken
    let names: [ContentHash: String]
    let now: UInt64

    init(_ token: IssuedToken, names: [ContentHash: String], now: UInt64) {
        self.token = token
        self.names = names
        self.now = now
    }

    private var state: String {
        if self.token.isRevoked { return "revoked" }
        return self.now < self.token.expiresMilliseconds ? "good" : "over"
    }

    private var contents: String {
        let names = self.token.contents.sorted().map { self.names[$0] ?? "\($0)" }
        return names.isEmpty ? "everything" : names.map(TerminalText.singleLine).joined(separator: ", ")
    }

    var line: String {
        let note = self.token.note.map { "  \(TerminalText.singleLine($0))" } ?? ""
        return "\(self.token.id)  \(TerminalText.padded(self.state, to: 7))  until \(Self.time(self.token.expiresMilliseconds))  \(self.token.holder.map { "\($0)" } ?? "whoever has it")  \(self.contents)\(note)"
    }

    var event: JSONObject {
        [
            "event": "grant", "id": .string("\(self.token.id)"), "contents": .array(self.token.contents.sorted().map { .string("\($0)") }),
            "holder": self.token.holder.map { .string("\($0)") } ?? .null, "note": self.token.note.map(JSONValue.string) ?? .null,
            "issuedMs": .unsigned(self.token.issuedMilliseconds), "expiresMs": .unsigned(self.token.expiresMilliseconds), "revoked": .boolean(self.token.isRevoked),
        ]
    }

    static func time(_ milliseconds: UInt64) -> String { Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601) }
}
