import DIGContent
import DIGIdentity
import DIGMultiformats
import Foundation
import Testing

@Suite("commands", .serialized, .timeLimit(.minutes(3)))
struct CommandTests {
    let workspace: Workspace
    let file: SampleFile
    let path: String

    init() throws {
        self.workspace = try Workspace()
        self.file = try SampleFile(byteCount: 100_000)
        self.path = try self.workspace.write(self.file.bytes, to: "film.bin")
    }

    @Test("hash prints every name of a file")
    func hash() async throws {
        let descriptor = self.file.descriptor
        let result = try await self.workspace.run("node", ["hash", self.path])
        result.expectSuccess()
        let event = try #require(result.first("hash"))
        #expect(event["contentHash"].string == "\(descriptor.contentHash)")
        #expect(event["root"].string == descriptor.root.hex)
        #expect(event["bytes"].number == 100_000)
        #expect(event["sha256"].string == SHA256Digest(hashing: self.file.bytes).hex)
        #expect(try ShareLink(parsing: try #require(event["link"].string)).descriptor == descriptor)
        let quiet = try await self.workspace.run("node", ["hash", "--quiet", self.path], json: false)
        #expect(quiet.outputText == "\(descriptor.contentHash)\n")
        try await self.workspace.run("node", ["hash", self.workspace.source + "/missing"]).expectFailure(5, "missing")
    }

    @Test("verify tells a file that is what was meant from one that is not")
    func verify() async throws {
        let descriptor = self.file.descriptor
        let references = ["\(descriptor.contentHash)", "\(try ShareLink(descriptor: descriptor))", SHA256Digest(hashing: self.file.bytes).hex]
        for reference in references {
            let right = try await self.workspace.run("node", ["verify", self.path, reference])
            right.expectSuccess()
            #expect(right.last.event == "verified")
        }
        try self.workspace.write(self.file.bytes.dropLast() + [self.file.bytes[99_999] ^ 1], to: "film.bin")
        for reference in references {
            try await self.workspace.run("node", ["verify", self.path, reference]).expectFailure(4, "not what was expected", self.path)
        }
        try await self.workspace.run("node", ["verify", self.path, "a-name"]).expectFailure(64, "a name proves nothing")
        try await self.workspace.run("node", ["verify", self.path, "dig:bciq"]).expectFailure(64)
        self.workspace.expectNothingElseTouched()
    }

    @Test("verify takes folders, too")
    func verifyFolder() async throws {
        try self.workspace.write([1], to: "folder/a")
        try self.workspace.write([2], to: "folder/b/c")
        let holder = try await self.workspace.share("holder", [self.workspace.source + "/folder"])
        try await self.workspace.run("node", ["verify", self.workspace.source + "/folder", "\(holder.link)"]).expectSuccess()
        try self.workspace.write([3], to: "folder/b/c")
        try await self.workspace.run("node", ["verify", self.workspace.source + "/folder", "\(holder.link)"]).expectFailure(4)
    }

    @Test("ls lists what is shared, rm ends it")
    func listAndRemove() async throws {
        let holder = try await self.workspace.share("node", [self.path, "--name", "holiday"])
        let hash = "\(holder.link.contentHash)"
        let list = try await self.workspace.run("node", ["ls"])
        list.expectSuccess()
        let content = try #require(list.first("content"))
        #expect(content["contentHash"].string == hash)
        #expect(content["contentID"].string == "holiday")
        #expect(content["path"].string == self.path)
        #expect(content["condition"].string == "unchanged")
        #expect(try await self.workspace.run("node", ["ls"], json: false).outputText.hasPrefix(hash))

        // What is removed is not delivered any more, by the process that runs as well.
        let removed = try await self.workspace.run("node", ["rm", "holiday"])
        removed.expectSuccess()
        #expect(removed.last["contentHash"].string == hash)
        try await self.workspace.run("receiver", ["get", "\(holder.link)", "--timeout", "1"]).expectFailure(3)
        #expect(try await self.workspace.run("node", ["ls"]).events.isEmpty)
        try await self.workspace.run("node", ["rm", "holiday"]).expectFailure(3, "not shared")
        Workspace.expect(self.path, holds: self.file.bytes)
    }

    @Test("what was shared is shared again, and a changed file is marked")
    func remembered() async throws {
        let first = try await self.workspace.share("node", [self.path])
        first.process.signal(SIGTERM)
        try await first.process.end()
        let second = try await self.workspace.share("node", [])
        #expect(second.link.contentHash == first.link.contentHash)
        #expect(try second.address.peerID == first.address.peerID)
        try await self.workspace.run("receiver", ["get", "\(second.link)"]).expectSuccess()
        try self.workspace.write([1, 2, 3], to: "film.bin")
        #expect(try await self.workspace.run("node", ["ls"]).first("content")?["condition"].string == "changed")

        // Also when the node has found out by itself, because somebody wanted it; and the next run says so.
        try await self.workspace.run("late", ["get", "\(second.link)", "-o", "late.bin", "--timeout", "1"]).expectFailure(3)
        #expect(try await self.workspace.run("node", ["ls"]).first("content")?["condition"].string == "changed")
        second.process.signal(SIGTERM)
        try await second.process.end()
        try self.workspace.write([4], to: "other.bin")
        let third = try await self.workspace.share("node", [self.workspace.source + "/other.bin"])
        let warning = try await third.process.event("warning")
        #expect(warning["message"].string?.contains("film.bin has changed") == true)
    }

    @Test("a node beside another with its data directory says that it goes by a key of the moment")
    func temporaryIdentity() async throws {
        let first = try await self.workspace.share("node", [self.path])
        let second = try await self.workspace.share("node", [self.path])
        let warning = try await second.process.event("warning")
        #expect(warning["message"].string?.contains("another dig-nat runs with \(self.workspace.data(of: "node"))") == true)
        #expect(try first.address.peerID != second.address.peerID)
    }

    @Test("id makes a key once, for its owner alone")
    func identity() async throws {
        let first = try await self.workspace.run("node", ["id"])
        first.expectSuccess()
        let peer = try PeerID(try #require(first.last["peer"].string))
        let keyFile = try #require(first.last["keyFile"].string)
        #expect(try KeyFile(path: keyFile).load().peerID == peer)
        let permissions = try FileManager.default.attributesOfItem(atPath: keyFile)[.posixPermissions] as? Int
        #expect(permissions == 0o600)
        #expect(try await self.workspace.run("node", ["id", "--quiet"], json: false).outputText == "\(peer)\n")
        #expect(!first.outputText.lowercased().contains("private"))
        try self.workspace.write([1, 2, 3], to: keyFile)
        try await self.workspace.run("node", ["id"]).expectFailure(5, keyFile)
    }

    @Test("config names the origin of every value")
    func configuration() async throws {
        let config = try self.workspace.write("upload-rate = \"2MiB\"\nmax-connections = 7\n".utf8, to: "config.toml")
        let result = try await self.workspace.run(
            "node", ["config", "--config", config, "--download-rate", "3MiB"], environment: ["DIG_NAT_MAX_CONNECTIONS": "9", "DIG_NAT_LISTEN": ""])
        result.expectSuccess()
        func setting(_ key: String) -> JSON { result.first("setting") { $0["key"].string == key } ?? .null }
        #expect(setting("upload-rate")["origin"].string == "file")
        #expect(setting("upload-rate")["file"].string == config)
        #expect(setting("upload-rate")["line"].number == 1)
        #expect(setting("upload-rate")["value"].number == 2_097_152)
        #expect(setting("max-connections")["origin"].string == "environment")
        #expect(setting("max-connections")["variable"].string == "DIG_NAT_MAX_CONNECTIONS")
        #expect(setting("max-connections")["value"].number == 9)
        #expect(setting("download-rate")["origin"].string == "flag")
        #expect(setting("download-rate")["flag"].string == "--download-rate")
        #expect(setting("listen")["origin"].string == "default")
        #expect(setting("data-dir")["value"].string == self.workspace.data(of: "node"))

        let text = try await self.workspace.run("node", ["config", "--config", config], json: false)
        #expect(text.outputText.contains("(\(config):1)"))
        let mistake = try self.workspace.write("\nupload-rat = 1\n".utf8, to: "mistake.toml")
        try await self.workspace.run("node", ["config", "--config", mistake]).expectFailure(78, "mistake.toml:2", "upload-rat")
        try await self.workspace.run("node", ["config"], environment: ["DIG_NAT_UPLOAD_RATE": "fast"]).expectFailure(78, "DIG_NAT_UPLOAD_RATE", "fast")
        try await self.workspace.run("node", ["config", "--config", self.workspace.source + "/missing.toml"]).expectFailure(78, "missing.toml")
    }

    @Test("a command line that is not understood ends with 64", arguments: [["frobnicate"], ["get"], ["share", "--frobnicate"], ["get", "x", "--timeout", "0"], ["rm"]])
    func usage(arguments: [String]) async throws {
        let process = try DigNatProcess(arguments, environment: self.workspace.environment(), workingDirectory: self.workspace.downloads)
        let result = try await process.end()
        #expect(result.exitCode == 64, "\(result)")
        #expect(result.output.isEmpty)
        #expect(!result.errors.isEmpty)
        self.workspace.expectNothingElseTouched()
    }

    @Test("the help of every command has an example", arguments: ["share", "get", "ls", "rm", "hash", "verify", "id", "records", "status", "report", "trust", "grant", "access", "config"])
    func help(command: String) async throws {
        let process = try DigNatProcess([command, "--help"], environment: self.workspace.environment(), workingDirectory: self.workspace.downloads)
        let result = try await process.end()
        result.expectSuccess()
        #expect(result.outputText.contains("EXAMPLES\n"))
        #expect(result.outputText.contains("dig-nat \(command)"))
        self.workspace.expectNothingElseTouched()
    }

    @Test("the help lists the exit codes")
    func exitCodes() async throws {
        let process = try DigNatProcess(["--help"], environment: self.workspace.environment(), workingDirectory: self.workspace.downloads)
        let text = try await process.end().outputText
        for code in ["0", "1", "3", "4", "5", "6", "7", "64", "78", "130", "143"] {
            #expect(text.contains("\n" + String(repeating: " ", count: 5 - code.count) + code + "  "), "\(code)")
        }
    }
}
