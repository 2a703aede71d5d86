import DIGAccess
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNatTools
import DIGNet
import DIGStorage
import DIGTransfer
import Foundation
import Testing

@Suite("Authenticated hosting between nodes", .timeLimit(.minutes(3)))
struct AccessTests {
    /// A host with one file, and somebody who wants it, over TCP on loopback.
    struct Setup {
        let holder: TestNode
        let receiver: TestNode
        let host: FileHost
        let source: String
        let content: SharedContent

        init(
            policy: AccessPolicy, byteCount: Int = 300_000, receiver configure: @escaping (inout NodeConfiguration) throws -> Void = { _ in }
        ) async throws {
            self.holder = try await TestNode.started { $0.access = policy }
            self.receiver = try await TestNode.started(configure: configure)
            self.source = try self.holder.directory.write("film.bin", byteCount: byteCount)
            self.host = FileHost(network: self.holder.network)
            self.content = try await self.host.addFile(self.source)
        }

        var receiverID: PeerID { self.receiver.network.identity.peerID }
        func link() throws -> ShareLink { try self.content.link(addresses: self.holder.network.addresses) }

        func fetch(_ reference: ContentReference? = nil, change: (inout FetchOptions) -> Void = { _ in }) async throws -> FetchResult {
            var options = FetchOptions()
            options.scheduling.holderTimeout = .milliseconds(500)
            options.searchTimeout = .seconds(5)
            change(&options)
            return try await FileClient(network: self.receiver.network)
                .fetch(reference ?? .link(try self.link()), to: .directory(self.receiver.directory.path), options: options).result()
        }

        func failure(_ reference: ContentReference? = nil, change: (inout FetchOptions) -> Void = { _ in }) async throws -> TransferError? {
            do {
                _ = try await self.fetch(reference, change: change)
                return nil
            } catch let error as TransferError {
                return error
            }
        }

        /// Of chunk bodies, by the holder, to anybody.
        var sentByteCount: UInt64 { self.holder.network.transferHost.statistics().byteCount }

        func hasArrived() -> Bool { FileManager.default.contentsEqual(atPath: self.source, andPath: self.receiver.directory.file("film.bin")) }

        func stop() async {
            await self.holder.network.stop()
            await self.receiver.network.stop()
        }
    }

    @Test("an unknown peer gets a clear refusal and no byte; once it is trusted it gets the file", arguments: [AccessPolicy.trustedOnly, AccessPolicy(requirePeerAuthentication: false, acceptAnonymousPeers: false)])
    func trusted(_ policy: AccessPolicy) async throws {
        let setup = try await Setup(policy: policy)
        let references: [ContentReference] = [
            .link(try setup.link()), .link(try ShareLink(contentHash: setup.content.contentHash, peers: setup.holder.network.addresses)),
        ]
        for reference in references {
            let error = try await setup.failure(reference)
            #expect(error?.code == .notAuthorized)
            #expect(error?.description.contains("trust") == true)
            #expect(error?.description.contains("\(setup.receiverID)") == true)
        }
        #expect(setup.sentByteCount == 0)
        #expect(!FileManager.default.fileExists(atPath: setup.receiver.directory.file("film.bin")))

        try await setup.host.addTrustedPeer(setup.receiverID)
        #expect(try await setup.host.isTrustedPeer(setup.receiverID, publicKey: setup.receiver.network.identity.publicKey))
        _ = try await setup.fetch()
        #expect(setup.hasArrived())
        await setup.stop()
    }

    @Test("a host that wants any key gets one, without anybody noticing")
    func anyKey() async throws {
        let setup = try await Setup(policy: .authenticated)
        _ = try await setup.fetch()
        #expect(setup.hasArrived())
        #expect(setup.holder.network.access.host.statistics.exchangeCount >= 1)
        await setup.stop()
    }

    @Test("a node that proves nothing is told what is wanted")
    func silent() async throws {
        let setup = try await Setup(policy: .authenticated) { $0.authentication.isEnabled = false }
        let error = try await setup.failure()
        #expect(error?.code == .authenticationRequired)
        #expect(setup.sentByteCount == 0)
        await setup.stop()
    }

    @Test("another key than the connection's, such as a wallet's, is the one that counts")
    func wallet() async throws {
        let wallet = try KeyPair.generate(.secp256k1)
        let setup = try await Setup(policy: .trustedOnly) { $0.authentication.keyPair = wallet }
        try await setup.host.addTrustedPeer(wallet.peerID, publicKey: wallet.publicKey, name: "Ada's wallet")
        _ = try await setup.fetch()
        #expect(setup.hasArrived())
        await setup.stop()
    }

    @Test("a link with a token lets in whoever has it, until it is revoked; another's token lets in nobody else")
    func token() async throws {
        let setup = try await Setup(policy: .trustedOnly)
        let stranger = try KeyPair.generate().peerID
        let stolen = try await setup.host.grant([setup.content.contentHash], to: stranger, for: .seconds(3600))
        let refusal = try await setup.failure(.link(setup.link().withToken(stolen.text)))
        #expect(refusal?.code == .notAuthorized)
        #expect(refusal?.description.contains("another peer") == true)
        #expect(setup.sentByteCount == 0)

        let token = try await setup.host.grant([setup.content.contentHash], for: .seconds(3600), note: "for the link")
        #expect(try await setup.host.grants.count == 2)
        _ = try await setup.fetch(.link(setup.link().withToken(token.text)))
        #expect(setup.hasArrived())
        #expect(try await setup.host.revoke(token.id))

        // On the connection that is still open.
        try FileManager.default.removeItem(atPath: setup.receiver.directory.file("film.bin"))
        let error = try await setup.failure(.link(setup.link().withToken(token.text)))
        #expect(error?.code == .notAuthorized)
        #expect(!FileManager.default.fileExists(atPath: setup.receiver.directory.file("film.bin")))
        await setup.stop()
    }

    @Test("one content of an open host can be for certain peers, and a folder's rule is that of its files")
    func lists() async throws {
        let setup = try await Setup(policy: .open)
        try setup.holder.directory.write("album/a.bin", byteCount: 100_000, seed: 2)
        try setup.holder.directory.write("album/b.bin", byteCount: 1000, seed: 3)
        let album = try await setup.host.addFile(setup.holder.directory.file("album"))
        try await setup.host.setAccess(.only([]), of: album.contentHash)
        // What was open stays so.
        _ = try await setup.fetch()
        #expect(setup.hasArrived())

        let before = setup.sentByteCount
        let link = try album.link(addresses: setup.holder.network.addresses)
        #expect(try await setup.failure(.link(link))?.code == .notAuthorized)
        let file = try await FileHasher().hash(fileAt: setup.holder.directory.file("album/a.bin")).descriptor.contentHash
        #expect(try await setup.failure(.link(ShareLink(contentHash: file, peers: setup.holder.network.addresses)))?.code == .notAuthorized)
        #expect(setup.sentByteCount == before)

        try await setup.host.setAccess(.only([setup.receiverID]), of: album.contentHash)
        _ = try await setup.fetch(.link(link))
        #expect(FileManager.default.contentsEqual(atPath: setup.holder.directory.file("album/a.bin"), andPath: setup.receiver.directory.file("album/a.bin")))
        await setup.stop()
    }

    @Test("a folder that gains a file has another hash and is for the same peers")
    func inherited() async throws {
        let setup = try await Setup(policy: .open)
        try setup.holder.directory.write("album/a.bin", byteCount: 1000, seed: 2)
        let before = try await setup.host.addFile(setup.holder.directory.file("album"), access: .trusted)
        try setup.holder.directory.write("album/b.bin", byteCount: 1000, seed: 3)
        let after = try await setup.host.addFile(setup.holder.directory.file("album"))
        #expect(before.contentHash != after.contentHash)
        #expect(try await setup.host.access(of: after.contentHash) == .trusted)
        await setup.stop()
    }

    @Test("members of a private swarm are let in without the host learning which, others are not")
    func members() async throws {
        let identity = try KeyPair.generate()
        let member = try MemberKeyPair(identity)
        let ring = try MemberRing([member.publicKey] + (0..<4).map { _ in try MemberKeyPair(KeyPair.generate()).publicKey })
        let setup = try await Setup(policy: .open) {
            $0.authentication.membership = .init(key: member, ring: ring)
            $0.authentication.isAnonymous = true
        }
        try await setup.host.setAccess(.members(of: ring), of: setup.content.contentHash)
        _ = try await setup.fetch()
        #expect(setup.hasArrived())

        let stranger = try await TestNode.started()
        do {
            _ = try await FileClient(network: stranger.network).fetch(.link(setup.link()), to: .directory(stranger.directory.path)).result()
            Issue.record("a stranger was let in")
        } catch let error as TransferError {
            #expect(error.code == .notAuthorized)
            #expect(error.description.contains("members"))
        }
        await stranger.network.stop()
        await setup.stop()
    }

    @Test("what another process decides on the same data directory counts while the node runs")
    func anotherProcess() async throws {
        let setup = try await Setup(policy: .open)
        let other = SQLiteAccessStore(database: try NodeDatabase(directory: setup.holder.directory.file("node")))
        try await other.setAccess(.trusted, of: setup.content.contentHash)
        #expect(try await setup.failure()?.code == .notAuthorized)
        #expect(setup.sentByteCount == 0)
        try await other.trust(TrustedPeer(publicKey: setup.receiver.network.identity.publicKey))
        _ = try await setup.fetch()
        #expect(setup.hasArrived())
        await setup.stop()
    }

    @Test("a node whose key another process of the same directory uses goes by another peer id, and is known by its key all the same")
    func secondProcess() async throws {
        let setup = try await Setup(policy: .trustedOnly)
        try await setup.host.addTrustedPeer(setup.receiverID)
        var configuration = NodeConfiguration(dataDirectory: setup.receiver.directory.file("node"))
        configuration.listen = []
        configuration.localDiscovery = false
        configuration.discovery = .off
        let second = try NetworkManager(configuration: configuration)
        try await second.start()
        #expect(second.identity.peerID != setup.receiverID)
        _ = try await FileClient(network: second).fetch(.link(setup.link()), to: .directory(setup.receiver.directory.path)).result()
        #expect(setup.hasArrived())
        await second.stop()
        await setup.stop()
    }

    @Test("trust that ends during a transfer ends the transfer")
    func revokedMeanwhile() async throws {
        let setup = try await Setup(policy: .trustedOnly, byteCount: 30_000_000)
        try await setup.host.addTrustedPeer(setup.receiverID)
        let fetch = FileClient(network: setup.receiver.network).fetch(
            .link(try setup.link()), to: .directory(setup.receiver.directory.path),
            options: {
                var options = FetchOptions()
                options.rate = 2_000_000
                options.scheduling.holderTimeout = .milliseconds(500)
                options.searchTimeout = .seconds(5)
                return options
            }())
        for await event in fetch.events {
            guard case .progress(let progress) = event, progress.fraction > 0 else { continue }
            try await setup.host.removeTrustedPeer(setup.receiverID)
            break
        }
        do {
            _ = try await fetch.result()
            Issue.record("the transfer went on")
        } catch let error as TransferError {
            #expect(error.description.contains("does not serve") || error.description.contains("trust"), "\(error)")
        }
        #expect(setup.sentByteCount < 30_000_000)
        await setup.stop()
    }

    @Test("names of what a peer may not have are not told to it; a trusted one is told")
    func names() async throws {
        let setup = try await Setup(policy: .trustedOnly)
        _ = try await setup.host.addFile(setup.source, contentID: "film")
        let connection = try await setup.receiver.network.connect(to: setup.holder.network.identity.peerID, addresses: setup.holder.network.addresses)
        #expect(try await setup.receiver.network.access.bindings(for: .name("film"), on: connection).isEmpty)
        try await setup.host.addTrustedPeer(setup.receiverID)
        #expect(try await setup.receiver.network.access.bindings(for: .name("film"), on: connection).map(\.contentHash) == [setup.content.contentHash])
        await setup.stop()
    }

    @Test("what a node fetches by permission is not for everybody meanwhile")
    func restricted() async throws {
        let setup = try await Setup(policy: .authenticated)
        _ = try await setup.fetch()
        #expect(setup.receiver.network.access.host.isRestricted(setup.content.contentHash))
        // Its owner may share it.
        _ = try await FileHost(network: setup.receiver.network).addFile(setup.receiver.directory.file("film.bin"))
        #expect(!setup.receiver.network.access.host.isRestricted(setup.content.contentHash))
        await setup.stop()
    }

    @Test("the whitepaper's authenticated file host: a directory, a wallet's key, two switches")
    func authenticatedFileHost() async throws {
        let directory = try TemporaryDirectory()
        try directory.write("shared/a.txt", byteCount: 10)
        var configuration = FileHostConfiguration(directory: directory.file("shared"))
        configuration.port = 0
        configuration.localEnabled = false
        configuration.discovery = .off
        configuration.identity = try KeyPair.generate(.secp256k1)
        configuration.access = AccessPolicy(requirePeerAuthentication: true, acceptAnonymousPeers: false)
        let host = try FileHost(configuration: configuration)
        try await host.start()
        #expect(host.network.access.host.policy.requirement == .trustedKey)
        let friend = try KeyPair.generate(.rsa, rsaKeySize: 2048).publicKey
        try await host.addTrustedPeer(friend.peerID, publicKey: friend)
        #expect(try await host.isTrustedPeer(friend.peerID, publicKey: friend))
        #expect(try await !host.isTrustedPeer(friend.peerID, publicKey: KeyPair.generate().publicKey))
        // An id of RSA does not hold the key.
        await #expect(throws: AccessError.keyMismatch) { try await host.addTrustedPeer(friend.peerID) }
        await #expect(throws: AccessError.keyMismatch) { try await host.addTrustedPeer(friend.peerID, publicKey: KeyPair.generate().publicKey) }
        #expect(try await host.removeTrustedPeer(friend.peerID))
        await host.stop()
    }
}
