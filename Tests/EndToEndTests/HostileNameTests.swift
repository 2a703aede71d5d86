import DIGContent
import DIGIdentity
import DIGMultiformats
import Foundation
import Testing

@testable import DIGTransfer

/// Nothing that a link or a holder says leads out of the download directory, or onto the terminal.
@Suite("hostile names and links", .serialized, .timeLimit(.minutes(3)))
struct HostileNameTests {
    static let names = ["../../outside/x", "/etc/cron.d/x", "..", ".", "", "a/../../outside/x", "red\u{1B}]0;title\u{7}\u{1B}[31m", "nul\u{0}x", "..\\..\\x"]
    let workspace: Workspace
    let file: SampleFile

    init() throws {
        self.workspace = try Workspace()
        self.file = try SampleFile(byteCount: 10_000)
    }

    private func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let digits = String(byte, radix: 16)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }

    @Test("a name in a hand-made link", arguments: Self.names)
    func link(name: String) async throws {
        let result = try await self.workspace.run(
            "receiver", ["get", "dig:\(self.file.descriptor.contentHash)?name=\(self.encoded(name))&peer=/ip4/127.0.0.1/tcp/1"], json: false)
        #expect(result.exitCode == 64, "\(result)")
        #expect(result.errorText.contains("\"name\""))
        #expect(!result.errors.contains(0x1b))
        #expect(self.workspace.downloaded == [])
        self.workspace.expectNothingElseTouched()
    }

    @Test("a name from a holder", arguments: Self.names)
    func holder(name: String) async throws {
        let peer = try await HostilePeer.start(self.file) { $0.name = name }
        let link = try ShareLink(contentHash: self.file.descriptor.contentHash, peers: [peer.address])
        let result = try await self.workspace.run("receiver", ["get", "\(link)"], json: false)
        result.expectSuccess()
        #expect(!result.output.contains(0x1b) && !result.errors.contains(0x1b))
        #expect(self.workspace.downloaded.count == 1)
        let path = result.outputText.trimmingCharacters(in: .newlines)
        #expect(path == "\(self.workspace.downloads)/\(self.workspace.downloaded.first ?? "")")
        Workspace.expect(path, holds: self.file.bytes)
        self.workspace.expectNothingElseTouched()
        await peer.stop()
    }

    @Test("a path in a folder's listing", arguments: [("aaaoutside/x", "../outside/x"), ("aetc/x", "/etc/x"), ("a/bb/x", "a/../x"), ("a/b/x", "a//bx"), ("abcd", "a\u{1B}[m")])
    func listing(harmless: String, path: String) async throws {
        let valid = try FolderListing(entries: [FolderListing.Entry(path: SafePath(harmless), descriptor: self.file.descriptor)]).encoded
        let position = try #require(valid.indices.first { valid[$0...].starts(with: harmless.utf8) })
        try #require(harmless.utf8.count == path.utf8.count)
        let listing = Array(valid[..<position]) + Array(path.utf8) + Array(valid[(position + path.utf8.count)...])
        let peer = try await HostilePeer.start(self.file) { $0.listing = listing }
        let link = try ShareLink(
            contentHash: ContentHash(digest: SHA256Digest(hashing: listing)), kind: .folder, name: "folder", peers: [peer.address])
        let result = try await self.workspace.run("receiver", ["get", "\(link)", "--timeout", "3"])
        result.expectFailure(4, "whoever made the folder is to blame")
        #expect(self.workspace.downloaded.allSatisfy { $0 == "folder" })
        #expect(Workspace.names(in: self.workspace.downloads + "/folder") == [])
        self.workspace.expectNothingElseTouched()
        await peer.stop()
    }

    @Test("a symbolic link in the way of a file is neither followed nor replaced", arguments: ["fail", "replace"])
    func symbolicLink(policy: String) async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write(self.file.bytes, to: "film.bin")])
        let path = self.workspace.downloads + "/film.bin"
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: self.workspace.outside + "/sentinel")
        let result = try await self.workspace.run("receiver", ["get", "\(holder.link)", "--existing", policy])
        result.expectFailure(5, "symbolic link", "film.bin")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == self.workspace.outside + "/sentinel")
        self.workspace.expectNothingElseTouched()
    }

    @Test("a symbolic link in the way of the unfinished file is not followed")
    func symbolicLinkToPart() async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write(self.file.bytes, to: "film.bin")])
        let part = ".film.bin.\(holder.link.contentHash.description.suffix(16)).part"
        try FileManager.default.createSymbolicLink(atPath: self.workspace.downloads + "/" + part, withDestinationPath: self.workspace.outside + "/sentinel")
        let result = try await self.workspace.run("receiver", ["get", "\(holder.link)"])
        result.expectFailure(5, "symbolic link")
        self.workspace.expectNothingElseTouched()
    }

    @Test("a symbolic link in the way of a folder is not followed", arguments: ["folder", "folder/sub"])
    func symbolicLinkToDirectory(path: String) async throws {
        try self.workspace.write(self.file.bytes, to: "folder/sub/film.bin")
        let holder = try await self.workspace.share("holder", [self.workspace.source + "/folder"])
        if path != "folder" { try FileManager.default.createDirectory(atPath: self.workspace.downloads + "/folder", withIntermediateDirectories: true) }
        try FileManager.default.createSymbolicLink(atPath: "\(self.workspace.downloads)/\(path)", withDestinationPath: self.workspace.outside)
        let result = try await self.workspace.run("receiver", ["get", "\(holder.link)"])
        result.expectFailure(5, "symbolic link", path)
        self.workspace.expectNothingElseTouched()
    }

    @Test("hashes of the wrong length or kind")
    func wrongHashes() async throws {
        let hash = "\(self.file.descriptor.contentHash)"
        let hex = SHA256Digest(hashing: [1]).hex
        for reference in ["dig:\(hash.dropLast(4))", "dig:\(hash)aaaa", "dig:", "dig:1220\(hex.dropLast(2))", "\(hash.dropLast())", "1220\(hex)ff", String(hex.dropLast())] {
            let result = try await self.workspace.run("receiver", ["get", reference])
            result.expectFailure(64)
            #expect(!(result.last["message"].string ?? "").isEmpty)
        }
        #expect(self.workspace.downloaded == [])
    }

    @Test("a link whose size and root are another content's")
    func otherDescriptor() async throws {
        let other = try SampleFile(byteCount: 20_000, seed: 2).descriptor
        let result = try await self.workspace.run(
            "receiver", ["get", "dig:\(self.file.descriptor.contentHash)?size=\(other.size)&root=\(other.root.hex)&peer=/ip4/127.0.0.1/tcp/1"])
        result.expectFailure(64, "root")
    }

    @Test("a content that the holder does not have")
    func otherContent() async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write([1, 2, 3], to: "film.bin")])
        let link = try ShareLink(descriptor: self.file.descriptor, name: "x", peers: holder.link.peers)
        let result = try await self.workspace.run("receiver", ["get", "\(link)", "--timeout", "3"])
        result.expectFailure(3, "does not hold it")
        #expect(!self.workspace.downloaded.contains("x"))
    }

    @Test("a holder that is not there, and one that is somebody else")
    func unreachable() async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write(self.file.bytes, to: "film.bin")])
        let stranger = try await HostilePeer.start(self.file)
        let impostor = try holder.address.removingPeerID().withPeerID(stranger.peerID)
        let wrong = try await self.workspace.run("receiver", ["get", "\(try holder.link.with(peers: [impostor]))", "--timeout", "3"])
        wrong.expectFailure(7, "\(stranger.peerID)")
        try await holder.process.killed()
        let gone = try await self.workspace.run("receiver", ["get", "\(holder.link)", "--timeout", "1"])
        gone.expectFailure(7, "refused")
        await stranger.stop()
    }
}
