import ArgumentParser
import DIGAccess
import DIGAnnouncement
import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGMultiformats
import DIGNatTools
import DIGStorage
import DIGTransfer
import Foundation

struct ShareCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "share",
        abstract: "Shares files and folders until Ctrl-C.",
        discussion: """
            Prints a link for each on standard output as soon as it is hashed; whoever has the link can get the content. \
            The content hash, a name given with --name, and the plain SHA-256 once it is computed, work too: they are announced by every way \
            that is on (local network, DHT, peers, GUN), and it is said which of them have really stored it; --no-announce keeps it to the link, also in later runs, until it is shared again without it. \
            Files that have not changed since they were shared last are not hashed again. What was shared before and not removed with \
            "dig-nat rm" is served as well; without PATH, only that. Ctrl-C is the normal end: exit code 0.

            Everybody who has the link, or finds it, can get it, unless it is said who: that is remembered, and changed with "dig-nat access". Whoever is \
            not let in learns nothing of it. Give others their own links with "dig-nat grant".

            EXAMPLES
              dig-nat share holiday.mp4
              dig-nat share --name photos-2025 ~/Pictures/2025
              dig-nat share --only-trusted --no-announce diary.txt
              dig-nat share --once --qr --no-announce report.pdf
              dig-nat share --rate 2MiB --listen /ip4/0.0.0.0/tcp/4001 disk.img
            """)

    @Argument(help: ArgumentHelp("Files and folders.", valueName: "path"), completion: .file())
    var paths: [String] = []

    @Option(help: ArgumentHelp("A name others can get it by; for one path.", valueName: "id"))
    var name: String?

    @Option(help: "How eagerly others are told of it: again every 15 minutes by all ways, every 30 minutes, or only before they forget.")
    var announceLevel: AnnounceChoice?

    @Flag(help: "End, and forget the share, when everything has been sent once.")
    var once = false

    @Option(help: ArgumentHelp("Bytes per second sent at most; the same as --upload-rate.", valueName: "rate"))
    var rate: String?

    @Flag(help: "Draw the link as a QR code, too.")
    var qr = false

    @OptionGroup(title: "Who may have it")
    var access: AccessOptions

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] {
        var settings = self.global.settings.merging(self.network.settings) { $1 }
        if let rate = self.rate { settings[.uploadRate] = rate }
        return settings
    }

    func validate() throws {
        if self.paths.contains("") { throw ValidationError("A path is empty: a variable that is not set?") }
        if self.name != nil, self.paths.count != 1 { throw ValidationError("--name names one path; share the others with another command.") }
        if self.announceLevel != nil, self.network.announce == false { throw ValidationError("Say --announce-level or --no-announce.") }
        if self.once, self.paths.isEmpty { throw ValidationError("--once needs a path.") }
        if self.access.isSet, self.paths.isEmpty { throw ValidationError("Who may have what? Name a path; for what is shared already, say: dig-nat access") }
    }

    func execute(_ context: CommandContext) async throws {
        try await context.withNetwork { network in
            let console = context.console
            try context.warnOfTemporaryIdentity(of: network)
            console.event([
                "event": "listening", "peer": .string("\(network.identity.peerID)"),
                "addresses": .array(network.addresses.map { .string($0.description) }),
            ])
            let host = FileHost(network: network)
            // Before anything is shared: a name that means nobody is no reason to share with everybody.
            let store = SQLiteAccessStore(database: network.database)
            let access = try await self.access.access(in: store)
            if case .trusted? = access, try await store.trustedPeers().isEmpty {
                console.note("nobody is trusted yet; trust somebody with: dig-nat trust add PEER --name NAME")
            }
            let isReachable = await network.waitForAddresses(
                atMost: network.configuration.traversal.relays.isEmpty ? Self.routerPatience : Self.relayPatience)
            let reach = LinkReach(network: network, console: console)
            let explanation = Task { if !isReachable, !network.configuration.traversal.relays.isEmpty { await reach.explainRelays() } }
            defer { explanation.cancel() }
            do {
                // What was shared before is served, too.
                do { try await host.announceEverything() } catch let error as DiscoveryError {
                    console.warning("what was shared before is not announced: \(error)")
                }
                let (contents, files) = try await self.contents(host, access: access, known: try context.knownAddresses(of: network), console: console)
                try await self.serve(contents, files: files, host: host, announcesAgain: !isReachable, context: context)
            } catch {
                await host.stop()
                throw error
            }
            await host.stop()
        }
    }

    /// How long a link waits for an address that works from outside. Routers that answer do so at once.
    private static let routerPatience: Duration = .seconds(2)
    private static let relayPatience: Duration = .seconds(5)

    /// Adds what is to be shared, and prints the links. Whoever has read the last link may ask for the end: nothing is looked up after it.
    ///
    /// - Returns: The contents, and the size of each file in them.
    private func contents(
        _ host: FileHost, access: ContentAccess?, known: KnownAddresses?, console: Console
    ) async throws -> ([SharedContent], [ContentHash: UInt64]) {
        let store = SharedContentStore(database: host.network.database)
        var files: [ContentHash: UInt64] = [:]
        let addresses = LinkAddresses.select(host.network.addresses)
        known?.save(addresses)
        LinkReach(network: host.network, console: console).tell(addresses)
        if addresses.isEmpty { console.warning("no address to be reached at: only peers that this node connects to can get anything") }
        guard !self.paths.isEmpty else {
            let all = try await host.contents
            guard !all.isEmpty else { throw CommandFailure(.usage, "nothing is shared yet", next: "name a file or folder: dig-nat share PATH") }
            Self.warnOfChanged(all, console: console)
            let contents = all.filter { !$0.isChanged }
            for content in contents {
                for file in try await store.files(of: content.contentHash) { files[file.descriptor.contentHash] = file.descriptor.size }
            }
            for content in contents { try await self.announce(content, addresses: addresses, host: host, console: console) }
            return (contents, files)
        }
        var contents: [SharedContent] = []
        for (index, path) in self.paths.enumerated() {
            let name = URL(fileURLWithPath: path).lastPathComponent
            let content = try await host.addFile(path, contentID: self.name, announceLevel: self.announceLevel?.level, access: access) { progress in
                console.progress(ProgressSnapshot(.hashing, name: name, byteCount: progress.completed, total: progress.total))
            }
            self.tellDifferences(content, path: path, before: contents, console: console)
            contents.append(content)
            for file in try await store.files(of: content.contentHash) { files[file.descriptor.contentHash] = file.descriptor.size }
            if index == self.paths.count - 1 { Self.warnOfChanged(try await host.contents, console: console) }
            try await self.announce(content, addresses: addresses, host: host, console: console)
        }
        return (contents, files)
    }

    private static func warnOfChanged(_ contents: [SharedContent], console: Console) {
        for content in contents where content.isChanged {
            console.warning("\(content.path) has changed or is gone since it was shared, and is not served: share it again, or forget it with dig-nat rm")
        }
    }

    /// What receivers get otherwise than it is here.
    private func tellDifferences(_ content: SharedContent, path: String, before: [SharedContent], console: Console) {
        let name = LocalPath.name(path)
        if content.name != name {
            console.note("\(TerminalText.singleLine(name)) is called \(TerminalText.singleLine(content.name)) by those who get it: not every system takes that name")
        }
        if let same = before.first(where: { $0.contentHash == content.contentHash && $0.path != content.path }) {
            console.note("\(TerminalText.singleLine(name)) is the same as \(TerminalText.singleLine(same.path)): they are one content, with one link")
        }
        guard content.kind == .folder else { return }
        let count = Self.symbolicLinkCount(in: content.path)
        if count > 0 {
            console.warning("\(count == 1 ? "1 symbolic link" : "\(count) symbolic links") in \(TerminalText.singleLine(name)) \(count == 1 ? "is" : "are") not shared: links could lead anywhere")
        }
    }

    static func symbolicLinkCount(in folder: String) -> Int {
        guard let walk = FileManager.default.enumerator(atPath: folder) else { return 0 }
        var count = 0
        while walk.nextObject() != nil {
            if walk.fileAttributes?[.type] as? FileAttributeType == .typeSymbolicLink { count += 1 }
        }
        return count
    }

    private func announce(_ content: SharedContent, addresses: [Multiaddr], host: FileHost, console: Console) async throws {
        let access = try await SQLiteAccessStore(database: host.network.database).access(of: content.contentHash)
        let link = try content.link(addresses: addresses).description
        let files = content.kind == .folder ? ", \(content.fileCount) files" : ""
        console.note("sharing \(TerminalText.singleLine(content.name)) (\(ByteCount.text(content.byteCount))\(files))\(access.flatMap(AccessText.words).map { ": \($0)" } ?? "")")
        var event = content.event("shared", link: link)
        event["access"] = AccessText.json(access ?? .everyone)
        console.result(link, event: event)
        guard self.qr else { return }
        // Less to scan: the size and the root come from the holder, the name and two addresses are enough.
        let short = try ShareLink(
            contentHash: content.contentHash, kind: content.kind == .folder ? .folder : .file, name: FileNameSanitizer.sanitized(content.name),
            peers: Array(addresses.prefix(2)))
        let code = try QRCode(short.description)
        let terminal = Terminal(descriptor: 2, environment: ProcessInfo.processInfo.environment)
        if terminal.isInteractive, code.terminalWidth() > terminal.columns {
            console.warning("the QR code needs \(code.terminalWidth()) columns, the terminal has \(terminal.columns)")
        } else {
            console.message(code.terminalLines(usesColor: terminal.isInteractive).joined(separator: "\n"))
        }
    }

    // MARK: Serving

    /// Returns at the first signal, or when all has been sent once.
    ///
    /// - Parameter announcesAgain: Whether the links lack an address that works from outside: they are printed again when there is one.
    private func serve(
        _ contents: [SharedContent], files: [ContentHash: UInt64], host: FileHost, announcesAgain: Bool, context: CommandContext
    ) async throws {
        let console = context.console
        console.note("press Ctrl-C to stop")
        var names: [ContentHash: String] = [:]
        for content in contents { names[content.contentHash] = content.name }
        let title = contents.count == 1 ? contents[0].name : "\(contents.count) contents"

        let watch = AnnouncementWatch(network: host.network, console: console)
        for content in contents { await watch.add(content.contentHash, name: content.name) }
        let again = announcesAgain ? Task { await self.announceAgain(contents, host: host, console: console) } : nil
        defer { again?.cancel() }
        await withTaskGroup(of: Void.self) { [names] group in
            group.addTask { await self.follow(host.events, files: files, names: names, watch: watch, console: console) }
            group.addTask { await watch.run() }
            group.addTask { await Self.showUploads(of: host.network, title: title, console: console) }
            _ = await group.next()
            group.cancelAll()
        }
        console.clearProgress()
        let statistics = host.network.transferHost.statistics()
        console.note("stopped after sending \(ByteCount.text(statistics.byteCount))")
        console.event(["event": "stopped", "bytes": .unsigned(statistics.byteCount)])
        if self.once, !Task.isCancelled {
            for content in contents { try await host.removeFile(content.contentHash) }
        }
    }

    /// Waits until this node can be reached from outside and prints the links with what is known then.
    private func announceAgain(_ contents: [SharedContent], host: FileHost, console: Console) async {
        let changes = host.network.traversal.environmentChanges
        for await _ in changes where await host.network.isReachableFromOutside {
            console.note("this node can be reached from outside now; links that work there:")
            let addresses = LinkAddresses.select(host.network.addresses)
            for content in contents {
                // It was a link before, so it is one with other addresses.
                try? await self.announce(content, addresses: addresses, host: host, console: console)
            }
            return
        }
    }

    private func follow(
        _ events: AsyncStream<HostEvent>, files: [ContentHash: UInt64], names: [ContentHash: String], watch: AnnouncementWatch, console: Console
    ) async {
        var sent = SentOnce(files: files)
        var digested: Set<ContentHash> = []
        for await event in events {
            switch event {
            case .announced(let hash, let report): await watch.announced(hash, report)
            case .sha256Computed(let hash, let sha256):
                // Computed for each copy of it.
                guard digested.insert(hash).inserted else { continue }
                console.note("sha256 \(sha256.hex)  \(TerminalText.singleLine(names[hash] ?? hash.description))")
                console.event(["event": "sha256", "contentHash": .string(hash.description), "sha256": .string(sha256.hex)])
            case .contentChanged(let hash):
                console.warning("\(names[hash] ?? hash.description) changed on disk and is not served any more; share it again")
                console.event(["event": "changed", "contentHash": .string(hash.description)])
            case .sessionEnded(let peer, let byteCounts):
                let total = byteCounts.values.reduce(0) { $0 &+ $1 }
                if total > 0 { console.note("sent \(ByteCount.text(total)) to \(peer)") }
                console.event(["event": "sent", "peer": .string("\(peer)"), "bytes": .unsigned(total)])
                sent.sent(byteCounts)
                if self.once, sent.isComplete { return }
            }
        }
    }

    private static func showUploads(of network: NetworkManager, title: String, console: Console) async {
        var last: UInt64 = 0
        while !Task.isCancelled {
            let statistics = network.transferHost.statistics()
            if statistics.sessionCount > 0 || statistics.byteCount != last {
                last = statistics.byteCount
                console.progress(
                    ProgressSnapshot(.sharing, name: title, byteCount: statistics.byteCount, peers: Set(statistics.uploads.map(\.peer)).count))
            } else {
                console.clearProgress()
            }
            do {
                try await Task.sleep(for: .milliseconds(500))
            } catch {
                return
            }
        }
    }
}

/// The choices of `--announce-level`.
enum AnnounceChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case high, medium, low

    var level: AnnounceLevel {
        switch self {
        case .high: .high
        case .medium: .medium
        case .low: .low
        }
    }
}
