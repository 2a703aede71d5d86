import DIGContent
import DIGMultiformats
import Foundation
import Testing

@Suite("share and get", .serialized, .timeLimit(.minutes(3)))
struct ShareAndGetTests {
    let workspace: Workspace

    init() throws {
        self.workspace = try Workspace()
    }

    @Test("a file arrives under its own name, and the path is all that standard output says")
    func file() async throws {
        let bytes = SampleFile.bytes(300_000)
        let holder = try await self.workspace.share("holder", [try self.workspace.write(bytes, to: "film.bin")])
        let result = try await self.workspace.run("receiver", ["get", "\(holder.link)"], json: false)
        result.expectSuccess()
        #expect(result.outputText == self.workspace.downloads + "/film.bin\n")
        Workspace.expect(self.workspace.downloads + "/film.bin", holds: bytes)
        #expect(self.workspace.downloaded == ["film.bin"])

        let again = try await self.workspace.run("receiver", ["get", "\(holder.link)"])
        again.expectSuccess()
        #expect(again.finished["wasPresent"].boolean == true)
        #expect(self.workspace.downloaded == ["film.bin"])
        self.workspace.expectNothingElseTouched()
    }

    @Test("a folder of 1,000 files goes through one connection")
    func folder() async throws {
        let all = SampleFile.bytes(1000 * 10_240)
        for index in 0..<1000 {
            try self.workspace.write(all[index * 10_240..<(index + 1) * 10_240], to: "photos/\(index / 100)/\(index).jpg")
        }
        let holder = try await self.workspace.share("holder", [self.workspace.source + "/photos"])
        #expect(holder.link.kind == .folder)
        let proxy = try await ForwardingProxy.start(to: try holder.port)
        defer { proxy.stop() }
        let link = try holder.link.with(peers: [proxy.address(of: try holder.address)])
        let result = try await self.workspace.run("receiver", ["get", "\(link)"], within: .seconds(120))
        result.expectSuccess()
        #expect(result.finished["files"].number == 1000)
        #expect(result.finished["bytes"].number == 10_240_000)
        for index in 0..<1000 {
            Workspace.expect("\(self.workspace.downloads)/photos/\(index / 100)/\(index).jpg", holds: Array(all[index * 10_240..<(index + 1) * 10_240]))
        }
        #expect(Workspace.names(in: self.workspace.downloads + "/photos").count == 10, "and no part files")
        #expect(proxy.counts.value.accepted == 1)
        self.workspace.expectNothingElseTouched()
    }

    @Test("an empty folder is made")
    func emptyFolder() async throws {
        let folder = self.workspace.source + "/nothing"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let holder = try await self.workspace.share("holder", [folder])
        let result = try await self.workspace.run("receiver", ["get", "\(holder.link)"])
        result.expectSuccess()
        #expect(result.finished["wasPresent"].boolean == false)
        #expect(self.workspace.downloaded == ["nothing"])
        try await self.workspace.run("receiver", ["verify", self.workspace.downloads + "/nothing", "\(holder.link)"]).expectSuccess()
        #expect(try await self.workspace.run("receiver", ["get", "\(holder.link)"]).finished["wasPresent"].boolean == true)
    }

    @Test("it is said over which path the bytes came, and /dev/null is not taken for a file")
    func paths() async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write(SampleFile.bytes(300_000), to: "film.bin")])
        let result = try await self.workspace.run("receiver", ["get", "\(holder.link)"])
        result.expectSuccess()
        let paths = result.finished["paths"].array
        #expect(paths.count == 1 && paths[0]["path"].string == "TCP on this machine" && paths[0]["direct"].boolean == true && paths[0]["bytes"].number == 300_000)
        #expect(result.finished["failures"].array.isEmpty)
        let written = try await self.workspace.run("receiver", ["get", "\(holder.link)", "-o", "-"], json: false)
        written.expectSuccess()
        #expect(written.errorText.contains("from 1 peer, TCP on this machine, verified"), "\(written.errorText)")
        try await self.workspace.run("receiver", ["get", "\(holder.link)", "-o", "/dev/null"]).expectFailure(5, "/dev/null is neither", "-o -")
    }

    @Test("an empty file")
    func empty() async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write([], to: "nothing")])
        try await self.workspace.run("receiver", ["get", "\(holder.link)"]).expectSuccess()
        Workspace.expect(self.workspace.downloads + "/nothing", holds: [])
        let written = try await self.workspace.run("receiver", ["get", "\(holder.link)", "-o", "-"], json: false)
        written.expectSuccess()
        #expect(written.output.isEmpty)
    }

    @Test("odd names arrive as they are, or as something safe")
    func names() async throws {
        let names = [
            "ünïcødé ✓ 文件.txt", "👩‍👩‍👧.bin", "-o", "a'b\"c $HOME `x` &?=#%41", "one\ntwo", "red\u{1B}[31m", ".hidden", "e\u{301}", String(repeating: "ä", count: 120),
        ]
        var paths: [String] = []
        for (index, name) in names.enumerated() {
            paths.append(try self.workspace.write(SampleFile.bytes(1000, seed: UInt64(index)), to: "\(index)/\(name)"))
        }
        let sharing = try self.workspace.start("holder", ["share"] + paths)
        let last = try #require(paths.last)
        _ = try await sharing.event("shared") { $0["path"].string == last }
        let links = sharing.state.value.events.filter { $0.event == "shared" }.compactMap { $0["link"].string }
        #expect(links.count == names.count)
        for (index, link) in links.enumerated() {
            let directory = "\(self.workspace.downloads)/\(index)"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let result = try await self.workspace.run("receiver", ["get", link, "-o", directory], json: false)
            result.expectSuccess()
            #expect(!result.output.dropLast().contains { $0 < 32 }, "no control characters on the terminal")
            #expect(!result.errors.contains(0x1b))
            let expected = FileNameSanitizer.sanitized(names[index])
            #expect(Workspace.names(in: directory) == [expected])
            Workspace.expect(directory + "/" + expected, holds: SampleFile.bytes(1000, seed: UInt64(index)))
        }
        self.workspace.expectNothingElseTouched()
    }

    @Test("-o names a file, a directory, or standard output")
    func output() async throws {
        let bytes = SampleFile.bytes(400_000)
        let link = "\(try await self.workspace.share("holder", [try self.workspace.write(bytes, to: "film.bin")]).link)"
        let downloads = self.workspace.downloads
        try await self.workspace.run("receiver", ["get", link, "-o", downloads + "/other.bin"]).expectSuccess()
        Workspace.expect(downloads + "/other.bin", holds: bytes)

        try FileManager.default.createDirectory(atPath: downloads + "/in", withIntermediateDirectories: true)
        try await self.workspace.run("receiver", ["get", link, "-o", downloads + "/in/"]).expectSuccess()
        Workspace.expect(downloads + "/in/film.bin", holds: bytes)
        try await self.workspace.run("receiver", ["get", link, "-o", "relative.bin"]).expectSuccess()
        Workspace.expect(downloads + "/relative.bin", holds: bytes)

        let missing = try await self.workspace.run("receiver", ["get", link, "-o", downloads + "/missing/"])
        missing.expectFailure(5, "does not exist", "missing")
        #expect(self.workspace.downloaded == ["in", "other.bin", "relative.bin"])

        for json in [true, false] {
            let written = try await self.workspace.run("receiver", ["get", link, "-o", "-"], json: json)
            written.expectSuccess()
            Workspace.expect([UInt8](written.output), is: bytes)
            #expect(written.errorText.contains("\"event\":\"finished\"") == json, "events go where the file does not")
        }
        #expect(Workspace.names(in: self.workspace.data(of: "receiver") + "/scratch") == [], "nothing is left of what was only written out")
        self.workspace.expectNothingElseTouched()
    }

    @Test("a file that is in the way stays unless --existing says otherwise")
    func existing() async throws {
        let bytes = SampleFile.bytes(100_000)
        let link = "\(try await self.workspace.share("holder", [try self.workspace.write(bytes, to: "film.bin")]).link)"
        let path = try self.workspace.write([1, 2, 3], to: self.workspace.downloads + "/film.bin")

        try await self.workspace.run("receiver", ["get", link]).expectFailure(5, "film.bin exists", "--existing")
        Workspace.expect(path, holds: [1, 2, 3])
        try await self.workspace.run("receiver", ["get", link, "--existing", "keep-both"]).expectSuccess()
        Workspace.expect(path, holds: [1, 2, 3])
        Workspace.expect(self.workspace.downloads + "/film (2).bin", holds: bytes)
        try await self.workspace.run("receiver", ["get", link, "--existing", "replace"]).expectSuccess()
        Workspace.expect(path, holds: bytes)
        #expect(self.workspace.downloaded == ["film (2).bin", "film.bin"])
    }

    @Test("a plain SHA-256 demanded with --sha256 is checked")
    func sha256() async throws {
        let bytes = SampleFile.bytes(100_000)
        let link = "\(try await self.workspace.share("holder", [try self.workspace.write(bytes, to: "film.bin")]).link)"
        let wrong = SHA256Digest(hashing: [1]).hex
        try await self.workspace.run("receiver", ["get", link, "--sha256", wrong]).expectFailure(4, "SHA-256", wrong)
        #expect(!self.workspace.downloaded.contains("film.bin"))
        let right = SHA256Digest(hashing: bytes).hex
        let result = try await self.workspace.run("receiver", ["get", link, "--sha256", right])
        result.expectSuccess()
        #expect(result.finished["sha256"].string == right)
    }

    @Test("share --once ends when everything was sent, and forgets it")
    func once() async throws {
        let holder = try await self.workspace.share("holder", ["--once", try self.workspace.write(SampleFile.bytes(200_000), to: "film.bin")])
        try await self.workspace.run("receiver", ["get", "\(holder.link)"]).expectSuccess()
        try await holder.process.end().expectSuccess()
        let list = try await self.workspace.run("holder", ["ls"])
        list.expectSuccess()
        #expect(list.events.isEmpty)
    }
}
