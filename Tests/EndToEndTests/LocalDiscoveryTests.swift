import DIGContent
import DIGIdentity
import DIGStorage
import DIGTransfer
import Foundation
import Testing

@Suite("the local network", .serialized, .enabled(if: Superuser.canMakeNetworkNamespaces, "\(Superuser.reason)"), .timeLimit(.minutes(3)))
struct LocalDiscoveryTests {
    let workspace: Workspace
    let network: NetworkNamespace
    private let discovery = ["DIG_NAT_LOCAL_DISCOVERY": "true"]

    init() throws {
        self.workspace = try Workspace()
        self.network = try NetworkNamespace()
    }

    private func share(_ node: String, _ arguments: [String]) async throws -> Workspace.Holder {
        try await self.workspace.share(node, arguments, environment: self.discovery, launcher: self.network.launcher)
    }

    private func get(_ arguments: String...) async throws -> DigNatProcess.State {
        try await self.workspace.run("receiver", ["get"] + arguments, environment: self.discovery, launcher: self.network.launcher)
    }

    @Test("a file is found by its name, its SHA-256, its content hash, and a link without addresses")
    func references() async throws {
        let bytes = SampleFile.bytes(200_000)
        let holder = try await self.share("holder", ["--name", "holiday", try self.workspace.write(bytes, to: "film.bin")])
        let sha256 = try #require(try await holder.process.event("sha256")["sha256"].string)
        #expect(sha256 == SHA256Digest(hashing: bytes).hex)
        for (index, reference) in ["holiday", sha256, "\(holder.link.contentHash)", "\(try holder.link.with(peers: []))"].enumerated() {
            let path = "\(self.workspace.downloads)/\(index)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            let result = try await self.get(reference, "-o", path)
            result.expectSuccess()
            #expect(Workspace.names(in: path) == ["film.bin"], "\(reference)")
            Workspace.expect(path + "/film.bin", holds: bytes)
            if reference == sha256 { #expect(result.finished["sha256"].string == sha256) }
        }
        self.workspace.expectNothingElseTouched()
    }

    @Test("a name that nobody knows, and a hash that nobody has")
    func unknown() async throws {
        try await self.get("nobody-knows-this", "--timeout", "1").expectFailure(3, "nobody-knows-this")
        let hash = try SampleFile(byteCount: 10).descriptor.contentHash
        try await self.get("\(hash)", "--timeout", "1").expectFailure(3, "\(hash)")
        #expect(self.workspace.downloaded == [])
    }

    @Test("one name for two contents is left to the user, with the signers named")
    func ambiguous() async throws {
        let one = try await self.share("one", ["--name", "holiday", try self.workspace.write(SampleFile.bytes(1000, seed: 1), to: "1.bin")])
        let two = try await self.share("two", ["--name", "holiday", try self.workspace.write(SampleFile.bytes(1000, seed: 2), to: "2.bin")])
        let result = try await self.get("holiday")
        result.expectFailure(3, "different contents", "\(one.link.contentHash)", "\(two.link.contentHash)", try self.peer(of: one), try self.peer(of: two))
        #expect(self.workspace.downloaded == [])
    }

    private func peer(of holder: Workspace.Holder) throws -> String { "\(try #require(try holder.address.peerID))" }

    @Test("whoever signed a wrong SHA-256 is named, and the file is not kept")
    func lyingBinding() async throws {
        let bytes = SampleFile.bytes(200_000)
        let path = try self.workspace.write(bytes, to: "film.bin")
        let hash = try SampleFile(byteCount: bytes.count).descriptor.contentHash
        let wrong = SHA256Digest(hashing: [1, 2, 3])

        // Signs that the file is what it is not.
        let database = try NodeDatabase(directory: self.workspace.data(of: "holder"))
        let key = try KeyFile(path: self.workspace.data(of: "holder") + "/identity.key").loadOrCreate()
        let now = UInt64(Date().timeIntervalSince1970 * 1000)
        let envelope = try NameBinding.sign(.sha256(wrong), as: hash, timestampMilliseconds: now, with: key)
        try await SharedContentStore(database: database).save(envelope, for: NameBinding(verifying: envelope, nowMilliseconds: now))
        try database.close()

        let holder = try await self.share("holder", [path])
        #expect(holder.link.contentHash == hash)
        let result = try await self.get(wrong.hex)
        result.expectFailure(4, "SHA-256", "\(key.peerID)", wrong.hex, SHA256Digest(hashing: bytes).hex)
        #expect(self.workspace.downloaded == [])
        self.workspace.expectNothingElseTouched()
    }
}
