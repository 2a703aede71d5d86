import DIGIdentity
import Foundation
import Testing

@Suite("Key file")
struct KeyFileTests {
    /// A folder that is gone after the test.
    final class TemporaryFolder {
        let path: String

        init() throws {
            self.path = FileManager.default.temporaryDirectory.appendingPathComponent("dig-key-file-\(UUID())").path
            try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: self.path) }

        var keyFile: KeyFile { KeyFile(path: "\(self.path)/identity.key") }
        var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: self.path) } }

        func setMode(_ mode: Int) throws {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: self.keyFile.path)
        }
    }

    @Test("keeps a key, readable by its owner only", arguments: KeyAlgorithm.allCases.filter { $0 != .rsa })
    func keeps(algorithm: KeyAlgorithm) throws {
        let folder = try TemporaryFolder()
        let pair = try folder.keyFile.loadOrCreate(algorithm)
        #expect(pair.algorithm == algorithm)
        #expect(try folder.keyFile.load().publicKey == pair.publicKey)
        #expect(try folder.keyFile.loadOrCreate(algorithm).publicKey == pair.publicKey)
        let mode = try FileManager.default.attributesOfItem(atPath: folder.keyFile.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        // No temporary file is left.
        #expect(try folder.names == ["identity.key"])
    }

    @Test("a pipe in its place is refused at once", .timeLimit(.minutes(1)))
    func pipe() throws {
        let folder = try TemporaryFolder()
        #expect(mkfifo(folder.keyFile.path, 0o600) == 0)
        #expect(throws: KeyFileError(.invalidContent, "")) { try folder.keyFile.load() }
    }

    @Test("holds libp2p's form of the key")
    func content() throws {
        let folder = try TemporaryFolder()
        try folder.keyFile.create(try KeyPair(protobufEncoded: PeerIDsVectors.ed25519PrivateKey))
        let stored = try #require(FileManager.default.contents(atPath: folder.keyFile.path))
        #expect(Array(stored) == PeerIDsVectors.ed25519PrivateKey)
    }

    @Test("never replaces a key that is there")
    func replaces() throws {
        let folder = try TemporaryFolder()
        let pair = try folder.keyFile.loadOrCreate()
        #expect(throws: KeyFileError(.alreadyExists, "")) { try folder.keyFile.create(try KeyPair.generate()) }
        #expect(try folder.keyFile.load().publicKey == pair.publicKey)
        #expect(try folder.names == ["identity.key"])
    }

    @Test("gives all who start at once the same key")
    func race() async throws {
        let folder = try TemporaryFolder()
        let file = folder.keyFile
        let peers = try await withThrowingTaskGroup(of: PeerID.self) { group in
            for _ in 0..<16 { group.addTask { try file.loadOrCreate().peerID } }
            return try await group.reduce(into: Set<PeerID>()) { $0.insert($1) }
        }
        #expect(peers.count == 1)
        #expect(try folder.names == ["identity.key"])
    }

    @Test("refuses a file that others can get at, and says what to run", arguments: [0o640, 0o604, 0o620, 0o601, 0o644, 0o777])
    func permissions(mode: Int) throws {
        let folder = try TemporaryFolder()
        let pair = try folder.keyFile.loadOrCreate()
        try folder.setMode(mode)
        do throws(KeyFileError) {
            _ = try folder.keyFile.loadOrCreate()
            Issue.record("accepted")
        } catch {
            #expect(error.code == .tooPermissive)
            #expect(error.message.contains("chmod 600 '\(folder.keyFile.path)'"))
        }
        try folder.setMode(0o400)
        #expect(try folder.keyFile.load().publicKey == pair.publicKey)
    }

    @Test("says when the file is not there, not a key, or not a file")
    func errors() throws {
        let folder = try TemporaryFolder()
        #expect(throws: KeyFileError(.notFound, "")) { try folder.keyFile.load() }
        for content in [[], Array("not a key".utf8), [UInt8](repeating: 8, count: 20_000)] {
            #expect(FileManager.default.createFile(atPath: folder.keyFile.path, contents: Data(content), attributes: [.posixPermissions: 0o600]))
            #expect(throws: KeyFileError(.invalidContent, "")) { try folder.keyFile.loadOrCreate() }
        }
        #expect(throws: KeyFileError(.invalidContent, "")) { try KeyFile(path: folder.path).load() }
        #expect(throws: KeyFileError(.system, "")) { try KeyFile(path: "\(folder.path)/missing/identity.key").loadOrCreate() }
    }

    @Test("never says anything of the key in an error")
    func secrecy() throws {
        let folder = try TemporaryFolder()
        var damaged = PeerIDsVectors.ed25519PrivateKey
        damaged[67] ^= 1
        #expect(FileManager.default.createFile(atPath: folder.keyFile.path, contents: Data(damaged), attributes: [.posixPermissions: 0o600]))
        do throws(KeyFileError) {
            _ = try folder.keyFile.load()
            Issue.record("accepted")
        } catch {
            #expect(error.code == .invalidContent)
            #expect(!error.message.contains("7e0830617c4a"))
        }
    }
}
