import DIGContent
import DIGMultiformats
import Foundation
import Testing

@Suite("interruptions", .serialized, .timeLimit(.minutes(3)))
struct InterruptionTests {
    static let rate = "1MiB"
    let workspace: Workspace
    let bytes = SampleFile.bytes(3 << 20)

    init() throws {
        self.workspace = try Workspace()
    }

    private func holder(_ node: String = "holder", rate: String = Self.rate, _ arguments: String...) async throws -> Workspace.Holder {
        try await self.workspace.share(node, [try self.workspace.path(of: self.bytes, "film.bin"), "--rate", rate] + arguments)
    }

    /// A transfer that is under way and not nearly done.
    private func begun(_ link: ShareLink) async throws -> DigNatProcess {
        let process = try self.workspace.start("receiver", ["get", "\(link)"])
        _ = try await process.event("progress") { ($0["fraction"].number ?? 0) > 0.2 }
        return process
    }

    /// Runs it again: the rest comes, and only the rest.
    private func expectResumes(_ link: ShareLink) async throws {
        #expect(self.workspace.partial.count == 1)
        let result = try await self.workspace.run("receiver", ["get", "\(link)"])
        result.expectSuccess()
        let resumed = result.finished["resumedBytes"].number ?? 0
        #expect(resumed >= 0.1 * Double(self.bytes.count))
        let received = result.finished["peers"].array.reduce(0) { $0 + ($1["bytes"].number ?? 0) }
        #expect(received <= Double(self.bytes.count) - resumed, "nothing verified came twice")
        self.expectWhole()
    }

    private func expectWhole() {
        Workspace.expect(self.workspace.downloads + "/film.bin", holds: self.bytes)
        #expect(self.workspace.downloaded == ["film.bin"])
        self.workspace.expectNothingElseTouched()
    }

    @Test("a receiver that is killed goes on where it was")
    func receiverKilled() async throws {
        let holder = try await self.holder()
        let process = try await self.begun(holder.link)
        try await process.killed()
        #expect(process.state.value.exitCode == -9)
        try await self.expectResumes(holder.link)
    }

    @Test("a holder that is killed and comes back goes on delivering")
    func holderKilled() async throws {
        let holder = try await self.holder()
        let process = try await self.begun(holder.link)
        try await holder.process.killed()
        let again = try await self.holder("holder", "--listen", "/ip4/127.0.0.1/tcp/\(holder.port)")
        #expect(try again.address == holder.address, "the same key and port")
        let result = try await process.end()
        result.expectSuccess()
        self.expectWhole()
    }

    @Test("one of three holders is killed, and the others deliver the rest")
    func oneOfThree() async throws {
        var holders: [Workspace.Holder] = []
        for index in 1...3 { holders.append(try await self.holder("holder-\(index)", rate: "512KiB")) }
        let link = try holders[0].link.with(peers: try holders.map { try $0.address })
        let process = try await self.begun(link)
        try await holders[1].process.killed()
        let result = try await process.end()
        result.expectSuccess()
        #expect(result.finished["peers"].array.count == 3)
        #expect(result.finished["peers"].array.filter { ($0["bytes"].number ?? 0) > 0 }.count >= 2)
        self.expectWhole()
    }

    @Test("signals end a transfer in time, keep what there is, and say so in the exit code", arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
    func signals(number: Int32, code: Int32) async throws {
        let holder = try await self.holder()
        let process = try await self.begun(holder.link)
        process.signal(number)
        let result = try await process.end(within: .seconds(10))
        result.expectFailure(code, "interrupted", "run the same command again")
        let list = try await self.workspace.run("receiver", ["ls"])
        #expect(list.first("unfinished")?["contentHash"].string == "\(holder.link.contentHash)")
        try await self.expectResumes(holder.link)
    }

    @Test("share ends cleanly when it is asked to", arguments: [SIGINT, SIGTERM])
    func shareEnds(number: Int32) async throws {
        let holder = try await self.holder()
        holder.process.signal(number)
        let result = try await holder.process.end(within: .seconds(10))
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.last.event == "stopped")
    }

    @Test("a file that changes while it is shared is not delivered any more")
    func fileChanges() async throws {
        // Slow enough that it is under way when the file changes.
        let holder = try await self.holder(rate: "256KiB")
        let process = try await self.begun(holder.link.bare(name: "film.bin"))
        try self.workspace.write(self.bytes.reversed(), to: "film.bin")
        _ = try await holder.process.event("changed")
        process.signal(SIGTERM)
        try await process.end()
        let refused = try await self.workspace.run("receiver", ["get", "\(holder.link)", "--timeout", "3"])
        // Whichever it meets first: the file, or that it is not listed any more.
        #expect(refused.exitCode == 3 || refused.exitCode == 6, "\(refused)")
        #expect(refused.outputText.contains("the peer does not hold it") || refused.outputText.contains("not the one any more that it shared"), "\(refused)")
        #expect(self.workspace.partial.count == 1, "what was verified is kept")
        self.workspace.expectNothingElseTouched()
    }
}
