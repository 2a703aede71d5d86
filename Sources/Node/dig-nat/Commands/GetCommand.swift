import ArgumentParser
import DIGAccess
import DIGAvailability
import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGMultiformats
import DIGNatTools
import DIGNet
import DIGSwarm
import DIGTransfer
import Dispatch
import Foundation
import NIOCore

struct GetCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Gets a file or folder that somebody shares.",
        discussion: """
            REFERENCE is a link (dig:…), a content hash (bciq…), a plain SHA-256 as sha256sum prints it, or a name. \
            A link says where its holders are; whoever else has it is found by every way that is on: the local network, the DHT, \
            peers, gossip, GUN. A name means what those who share something under it have signed. If they disagree, nothing is got: \
            each content is listed with its signers, and NAME@PEER takes it as that peer means it. \
            Every block is verified as it arrives. Run the same command again after an interruption, of whatever kind: it goes on where it was. \
            The path of what was got is printed on standard output. Holders that turned out not to have it are left out, and named. \
            To holders that want to know who asks, this node proves it with its key; what they refuse comes with what their owner can do.

            EXAMPLES
              dig-nat get 'dig:bciq…?size=…&peer=…'
              dig-nat get 'dig:bciq…' -o ~/Downloads/
              dig-nat get bciq…
              dig-nat get photos-2025@12D3KooW…
              dig-nat get 'dig:bciq…' --members members.txt
              dig-nat get 'dig:bciq…' -o - | tar x
            """)

    @Argument(help: ArgumentHelp("Link, content hash, SHA-256, name or NAME@PEER.", valueName: "reference"))
    var reference: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where to put it: a file name, a directory, or \"-\" for standard output. (default: under its own name in download-dir)", valueName: "path"),
        completion: .file())
    var output: String?

    @Option(help: ArgumentHelp("What to do if a file of that name is there: fail, keep-both or replace.", valueName: "policy"))
    var existing: ExistingFileChoice = .fail

    @Option(help: ArgumentHelp("The plain SHA-256 that the file must have, beside everything else.", valueName: "hex"))
    var sha256: String?

    @Option(
        help: ArgumentHelp("Prove to be one of the members in this file, and not which, to holders that ask; connects under a name made for the moment.", valueName: "path"),
        completion: .file())
    var members: String?

    @Option(help: ArgumentHelp("Seconds to wait for a holder. (default: 30)", valueName: "seconds"))
    var timeout: Int?

    @Option(help: ArgumentHelp("Setting: \(Setting.downloadDirectory.explanation).", valueName: "path"), completion: .directory)
    var downloadDir: String?

    @Option(help: ArgumentHelp("Bytes per second received at most; the same as --download-rate.", valueName: "rate"))
    var rate: String?

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] {
        var settings = self.global.settings.merging(self.network.settings) { $1 }
        settings[.downloadDirectory] = self.downloadDir
        if let rate = self.rate { settings[.downloadRate] = rate }
        return settings
    }

    var writesFileToStandardOutput: Bool { self.output == "-" }

    func validate() throws {
        if self.reference.isEmpty { throw ValidationError("The reference is empty: a variable that is not set?") }
        if let sha256 = self.sha256, SHA256Digest(hex: sha256) == nil { throw ValidationError("--sha256 takes 64 hexadecimal digits.") }
        if let timeout = self.timeout, !(1...86_400).contains(timeout) { throw ValidationError("--timeout takes 1 to 86400 seconds.") }
        if self.output == "" { throw ValidationError("--output takes a path.") }
    }

    func execute(_ context: CommandContext) async throws {
        let reference = try ContentReference(parsing: self.reference)
        var options = FetchOptions()
        if let timeout = self.timeout {
            options.searchTimeout = .seconds(timeout)
            options.scheduling.holderTimeout = .seconds(timeout)
        }
        options.verificationHash = self.sha256.flatMap { SHA256Digest(hex: $0) }
        let destination = try self.destination(context)

        let key = try context.ownKey()
        let membership = try self.membership(of: key)
        try await context.withNetwork(tune: { Self.tune(&$0, membership: membership) }) { [options] network in
            let fetch = FileClient(network: network).fetch(reference, to: destination, options: options)
            let routes = DeliveryLog()
            let result = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await Self.show(fetch.events, network: network, title: reference, console: context.console, routes: routes) }
                let paths = Task { await PathReport(network: network, console: context.console).run() }
                defer { paths.cancel() }
                if self.writesFileToStandardOutput { group.addTask { try await Self.copyToStandardOutput(fetch) } }
                do {
                    let result = try await fetch.result()
                    try await group.waitForAll()
                    return result
                } catch {
                    // What the reader of standard output did is the cause, a cancelled fetch its consequence.
                    fetch.cancel()
                    do { try await group.waitForAll() } catch let failure as CommandFailure { throw failure }
                    if let content = Self.content(of: reference) { Self.tellLeftOut(content, network: network, console: context.console) }
                    throw Self.explained(error, reference: reference, peer: key.peerID, policy: network.configuration.traversal.addressPolicy)
                }
            }
            Self.tellLeftOut(result.contentHash, network: network, console: context.console)
            self.report(result, routes: routes.paths, console: context.console)
        }
    }

    // MARK: Members

    /// The key of a member and who the members are, and a key for this once.
    private func membership(of key: KeyPair) throws -> (AccessCredentials.Membership, connection: KeyPair)? {
        guard let members else { return nil }
        let ring = try AccessText.ring(fileAt: members)
        let member = try MemberKeyPair(key)
        guard ring.contains(member.publicKey) else {
            throw CommandFailure(.usage, "this node's member key is not in \(members)", details: ["member key  \(member.publicKey)"], next: "ask whoever keeps the list to add it")
        }
        return (AccessCredentials.Membership(key: member, ring: ring), try KeyPair.generate())
    }

    /// Whoever proves to be a member without saying which must not be told by the connection either.
    private static func tune(_ node: inout NodeConfiguration, membership: (AccessCredentials.Membership, connection: KeyPair)?) {
        guard let (membership, connection) = membership else { return }
        node.identity = .keyPair(connection)
        node.authentication.membership = membership
        node.authentication.isAnonymous = true
    }

    // MARK: Who is left out, and who does not let us in

    /// What the reference means, if that is known without asking.
    private static func content(of reference: ContentReference) -> ContentHash? {
        switch reference {
        case .link(let link): link.contentHash
        case .contentHash(let hash): hash
        case .sha256, .name: nil
        }
    }

    /// Those that are said to have it, and are known not to.
    private static func tellLeftOut(_ content: ContentHash, network: NetworkManager, console: Console) {
        for holder in network.availability.holders(of: content) where holder.status == .unavailable {
            console.note("\(holder.peer) was left out: \(holder.reason)")
            console.event(["event": "left-out", "peer": .string("\(holder.peer)"), "reason": .string(holder.reason)])
        }
    }

    /// A refusal says what the owner has to do, word for word.
    ///
    /// - Parameter peer: This node, by the key that it proves who it is with.
    static func explained(_ error: any Error, reference: ContentReference, peer: PeerID, policy: AddressPolicy = AddressPolicy()) -> any Error {
        guard FailureDescription.isRefusedAccess(error) else { return Self.withReach(error, reference: reference, policy: policy) }
        var failure = FailureDescription.failure(for: error)
        failure.status = .refused
        let what = Self.content(of: reference).map { "\($0)" } ?? Self.words(reference)
        failure.next = "ask the owner for a grant: dig-nat grant \(what) --to \(peer)"
        return failure
    }

    /// A link without an address that works from elsewhere is the reason, wherever it was made.
    private static func withReach(_ error: any Error, reference: ContentReference, policy: AddressPolicy) -> any Error {
        guard case .link(let link) = reference, let error = error as? NodeError, error.code == .unreachable else { return error }
        guard !link.peers.isEmpty, !LinkReach.reachesOutside(link.peers, policy: policy) else { return error }
        var failure = FailureDescription.failure(for: error)
        failure.next = "this link has only addresses of the network it was made in: from elsewhere it takes one made with --relay, or behind an open port"
        return failure
    }

    // MARK: Destination

    private func destination(_ context: CommandContext) throws -> FetchDestination {
        let policy = self.existing.policy
        switch self.output {
        case "-"?:
            return .nowhere(scratch: try Self.scratchDirectory(context))
        case let path?:
            // "name/" means a directory even if it does not exist, which is then an error and not a file called so.
            let absolute = LocalPath.absolute(path)
            if !Self.mayBeFile(absolute) {
                throw CommandFailure(.disk, "\(path) is neither a file nor a directory", next: "write to standard output with -o -, and lead that where you want it")
            }
            if path.hasSuffix("/") || Self.isDirectory(absolute) { return .directory(absolute, existingFile: policy) }
            return .path(absolute, existingFile: policy)
        case nil:
            return .directory(LocalPath.absolute(context.configuration.path(.downloadDirectory) ?? "."), existingFile: policy)
        }
    }

    /// Beside the database: private, and on a disk rather than in memory as `/tmp` often is.
    private static func scratchDirectory(_ context: CommandContext) throws -> String {
        let path = try context.dataDirectory() + "/scratch"
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw CommandFailure(.disk, "the directory \(path) can't be made: \(error.localizedDescription)", next: "choose another with --data-dir")
        }
        return path
    }

    /// Not a device, a socket or a pipe.
    private static func mayBeFile(_ path: String) -> Bool {
        // What is not there may become one; what cannot be looked at is said where it is written.
        guard let type = (try? FileManager.default.attributesOfItem(atPath: path))?[.type] as? FileAttributeType else { return true }
        return [.typeRegular, .typeDirectory, .typeSymbolicLink].contains(type)
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    // MARK: While it runs

    private static func copyToStandardOutput(_ fetch: Fetch) async throws {
        for try await piece in try await fetch.bytes() {
            // A slow reader must not hold a thread that the transfer needs.
            let code = await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    continuation.resume(returning: piece.withUnsafeReadableBytes { StandardOutput.write($0, to: 1) })
                }
            }
            guard let code else { continue }
            fetch.cancel()
            throw CommandFailure(
                code == EPIPE ? .failure : .disk, "standard output takes no more: \(String(cString: strerror(code)))",
                next: "see why the reader of the pipe ended")
        }
    }

    private static func show(_ events: AsyncStream<Fetch.Event>, network: NetworkManager, title: ContentReference, console: Console, routes: DeliveryLog) async {
        var name = "?"
        let sources = network.discovery.manager.sources
        let by = JSONValue.array(sources.map { .string($0.rawValue) })
        for await event in events {
            switch event {
            case .phase(.resolving):
                console.note("asking \(SourceNames.text(sources)) what \"\(Self.words(title))\" means")
                console.event(["event": "resolving", "by": by])
            case .phase(.resolved(let binding)):
                console.note(Self.line(binding))
                console.event(Self.event(binding))
            case .phase(.searching):
                console.note(Self.searching(title, sources: sources))
                console.event(["event": "searching", "by": by])
            case .phase(.transferring(let hash, let proposed)):
                name = proposed
                console.event(["event": "started", "contentHash": .string(hash.description), "name": .string(proposed)])
            case .progress(let progress):
                for peer in progress.peers { routes.look(at: peer.peer, byteCount: peer.verifiedByteCount, path: network.traversal.path(of: peer.peer)) }
                console.progress(Self.snapshot(progress, name: name, network: network))
            }
        }
        console.clearProgress()
    }

    /// What a name, or a plain SHA-256, was asked for as.
    static func words(_ reference: ContentReference) -> String {
        switch reference {
        case .link(let link): link.contentHash.description
        case .contentHash(let hash): hash.description
        case .sha256(let digest): digest.hex
        case .name(let name, let signer): TerminalText.singleLine(name) + (signer.map { "@\($0)" } ?? "")
        }
    }

    static func line(_ binding: NameBinding) -> String {
        let what =
            switch binding.key {
            case .name(let name): "\"\(TerminalText.singleLine(name))\""
            case .sha256: "the SHA-256"
            }
        return "\(what) is \(binding.contentHash), signed by \(binding.signer.peerID)"
    }

    static func event(_ binding: NameBinding) -> JSONObject {
        var event: JSONObject = [
            "event": "resolved", "contentHash": .string(binding.contentHash.description), "signer": .string("\(binding.signer.peerID)"),
            "signedMs": .unsigned(binding.timestampMilliseconds),
        ]
        switch binding.key {
        case .name(let name): event["name"] = .string(name)
        case .sha256(let digest): event["sha256"] = .string(digest.hex)
        }
        return event
    }

    /// Whom `get` asks for a holder.
    static func searching(_ reference: ContentReference, sources: [DiscoverySource]) -> String {
        var whom: [String] = []
        if case .link(let link) = reference, !link.peers.isEmpty { whom.append("the peers of the link") }
        if !sources.isEmpty { whom.append(SourceNames.text(sources)) }
        return "looking for a holder: asking \(whom.isEmpty ? "nobody, every way of discovery is off" : whom.joined(separator: ", "))"
    }

    private static func snapshot(_ progress: TransferProgress, name: String, network: NetworkManager) -> ProgressSnapshot {
        let peers = progress.peers.filter(\.isConnected)
        let moving = peers.filter { !$0.isStalled }
        var note: String?
        if progress.fraction < 1 {
            if peers.isEmpty {
                note = progress.peers.isEmpty ? "waiting for a holder" : "no holder is left: waiting for one"
            } else if moving.isEmpty { note = "the holders send nothing" }
        }
        return ProgressSnapshot(
            .receiving, name: name, byteCount: progress.verifiedByteCount, total: progress.totalByteCount, peers: peers.count,
            path: PathDescription.text(moving.compactMap { network.traversal.path(of: $0.peer) }), note: note)
    }

    /// Whether the peer gave something, and only the connection broke on the way: nobody left it out for what it gave.
    static func isOnlyInterrupted(_ failure: PeerFailure, peers: [PeerStatistics]) -> Bool {
        [.disconnected, .stalled].contains(failure.error.code) && peers.contains { $0.peer == failure.peer && $0.verifiedByteCount > 0 }
    }

    private func report(_ result: FetchResult, routes: DeliveryPaths, console: Console) {
        let event: JSONObject = [
            "event": "finished", "contentHash": .string(result.contentHash.description), "path": self.writesFileToStandardOutput ? .null : .string(result.path),
            "bytes": .unsigned(result.byteCount), "files": .integer(Int64(result.fileCount)), "resumedBytes": .unsigned(result.resumedByteCount),
            "wasPresent": .boolean(result.wasPresent), "sha256": result.sha256.map { .string($0.hex) } ?? .null,
            "seconds": .number(DurationText.seconds(result.duration)),
            "peers": .array(
                result.peers.map { .object(["peer": .string("\($0.peer)"), "bytes": .unsigned($0.verifiedByteCount)]) }),
            "failures": .array(
                result.failures.map { failure in
                    .object([
                        "peer": .string("\(failure.peer)"), "message": .string("\(failure.error)"),
                        "leftOut": .boolean(!Self.isOnlyInterrupted(failure, peers: result.peers)),
                    ])
                }),
            "paths": routes.json,
        ]
        for failure in result.failures where !Self.isOnlyInterrupted(failure, peers: result.peers) { console.note("\(failure.peer) was left out: \(failure.error)") }
        if result.wasPresent {
            console.note("already here, and verified")
        } else {
            let fetched = result.byteCount - min(result.byteCount, result.resumedByteCount)
            let rate = ByteCount.rateText(bytesPerSecond: Double(fetched) / max(0.001, DurationText.seconds(result.duration)))
            let resumed = result.resumedByteCount > 0 ? ", \(ByteCount.text(result.resumedByteCount)) of it from before" : ""
            let count = result.peers.filter { $0.verifiedByteCount > 0 }.count
            let way = routes.text.map { ", \($0)" } ?? ""
            console.note(
                "got \(ByteCount.text(result.byteCount))\(resumed) in \(DurationText.elapsed(result.duration)) (\(rate)) from \(count == 1 ? "1 peer" : "\(count) peers")\(way), verified")
        }
        if self.writesFileToStandardOutput { console.event(event) } else { console.result(TerminalText.singleLine(result.path), event: event) }
    }
}

/// ``ExistingFilePolicy`` as it is typed.
enum ExistingFileChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case fail
    case keepBoth = "keep-both"
    case replace

    var policy: ExistingFilePolicy {
        switch self {
        case .fail: .fail
        case .keepBoth: .keepBoth
        case .replace: .replace
        }
    }
}
