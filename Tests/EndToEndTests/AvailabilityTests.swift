import DIGAnnouncement
import DIGAvailability
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGStorage
import Foundation
import Testing

/// Who really has it, with real processes in a network of their own on this machine.
@Suite("availability", .serialized, .timeLimit(.minutes(5)))
struct AvailabilityTests {
    let workspace: Workspace
    let bytes = SampleFile.bytes(400_000)

    init() throws {
        self.workspace = try Workspace()
    }

    private struct Network {
        let first: DigNatProcess
        let environment: [String: String]
    }

    /// A first contact, and what others need to find one another.
    private func network() async throws -> Network {
        var environment = ["DIG_NAT_NETWORK": "e2e", "DIG_NAT_DHT": "true", "DIG_NAT_PEX": "true", "DIG_NAT_GOSSIP": "true", "DIG_NAT_SERVE_DHT": "always"]
        let first = try self.workspace.start("first", ["bootstrap", "--gun-listen", ""], environment: environment)
        let listening = try await first.event("listening") { !$0["addresses"].array.isEmpty }
        environment["DIG_NAT_BOOTSTRAP"] = try #require(listening["addresses"].array.first?.string)
        return Network(first: first, environment: environment)
    }

    private func get(_ node: String, _ hash: String, as name: String, in network: Network) async throws -> DigNatProcess.State {
        try await self.workspace.run(node, ["get", hash, "-o", self.workspace.downloads + "/" + name, "--timeout", "20"], environment: network.environment, within: .seconds(90))
    }

    private func status(_ node: String, _ hash: String, of peer: String) async throws -> JSON? {
        try await self.workspace.run(node, ["status", hash]).first("holder") { $0["peer"].string == peer }
    }

    /// Asks again until it is so.
    private func eventually(_ what: String, within limit: Duration = .seconds(60), _ isSo: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + limit
        while try await !isSo() {
            guard ContinuousClock.now < end else { throw DigNatProcess.Failure(description: "waited \(limit) for: \(what)") }
        }
    }

    /// Shares, and waits until others can find it.
    private func share(_ node: String, _ path: String, in network: Network) async throws -> Workspace.Holder {
        let holder = try await self.workspace.share(node, [path], environment: network.environment)
        _ = try await holder.process.event("announced") { $0["isStored"].boolean == true }
        return holder
    }

    @Test("a holder that deletes its file is dropped by others, and is back when it has proven that it has it again")
    func deleted() async throws {
        let network = try await self.network()
        let path = try self.workspace.write(self.bytes, to: "a/film.bin")
        var holder = try await self.share("a", path, in: network)
        let hash = "\(holder.link.contentHash)"
        let peer = "\(try #require(try holder.address.peerID))"
        let first = try await self.get("client", hash, as: "1.bin", in: network)
        first.expectSuccess()
        Workspace.expect(self.workspace.downloads + "/1.bin", holds: self.bytes)
        #expect(try await self.status("client", hash, of: peer)?["status"].string == "available")

        // Somebody else, who has nothing to do with it, hears of it.
        let observer = try self.workspace.start("observer", ["node"], environment: network.environment)
        _ = try await observer.event("listening") { !$0["addresses"].array.isEmpty }

        try FileManager.default.removeItem(atPath: path)
        let second = try await self.get("client", hash, as: "2.bin", in: network)
        second.expectFailure(3)
        #expect(!self.workspace.downloaded.contains { $0.hasPrefix("2.bin") })
        let dropped = try #require(try await self.status("client", hash, of: peer))
        #expect(dropped["status"].string == "unavailable", "\(dropped)")

        // Whoever has it is used, the one who has not is left out and named.
        let other = try await self.share("b", try self.workspace.write(self.bytes, to: "b/film.bin"), in: network)
        let third = try await self.get("client", hash, as: "3.bin", in: network)
        third.expectSuccess()
        #expect(third.finished["peers"].array.compactMap { $0["peer"].string } == ["\(try #require(try other.address.peerID))"])
        #expect(third.first("left-out")?["peer"].string == peer, "\(third)")

        // The file is back, and the share begins again: the claim alone is not enough, the proof is. It may take until a minute after the last question.
        try self.workspace.write(self.bytes, to: "a/film.bin")
        for process in [holder.process, other.process] {
            process.signal(SIGTERM)
            try await process.end()
        }
        holder = try await self.share("a", path, in: network)
        try await self.eventually("the holder is used again", within: .seconds(150)) { try await self.get("client", hash, as: "4.bin", in: network).exitCode == 0 }
        Workspace.expect(self.workspace.downloads + "/4.bin", holds: self.bytes)
        let back = try #require(try await self.status("client", hash, of: peer))
        #expect(back["status"].string == "available", "\(back)")
        #expect((back["provedMs"].number ?? 0) > (dropped["changedMs"].number ?? .infinity), "\(back)")
        for process in [observer, network.first] {
            process.signal(SIGTERM)
            try await process.end()
        }
        self.workspace.expectNothingElseTouched()
    }

    @Test("who has delivered is known, and that it has not what it had as well, without any discovery")
    func known() async throws {
        let path = try self.workspace.write(self.bytes, to: "film.bin")
        let holder = try await self.workspace.share("holder", [path])
        let peer = "\(try #require(try holder.address.peerID))"
        try await self.workspace.run("receiver", ["get", "\(holder.link)", "-o", self.workspace.downloads + "/1.bin"]).expectSuccess()
        let known = try #require(try await self.status("receiver", "\(holder.link)", of: peer))
        #expect(known["status"].string == "available" && (known["provedMs"].number ?? 0) > 0, "\(known)")
        #expect((known["reputation"]["success"].number ?? 0) > 0.5)
        let text = try await self.workspace.run("receiver", ["status", "\(holder.link)"], json: false)
        #expect(text.outputText.hasPrefix("available    \(peer)\n    has proven that it has it"))
        try FileManager.default.removeItem(atPath: path)
        try await self.workspace.run("receiver", ["get", "\(holder.link)", "-o", self.workspace.downloads + "/2.bin", "--timeout", "3"]).expectFailure(3)
        #expect(try await self.status("receiver", "\(holder.link)", of: peer)?["status"].string == "unavailable")
    }

    @Test("a report is signed, told to others, kept, and proven again without a network")
    func reports() async throws {
        let network = try await self.network()
        let holder = try await self.share("a", try self.workspace.write(self.bytes, to: "a/film.bin"), in: network)
        let hash = "\(holder.link.contentHash)"
        let peer = "\(try #require(try holder.address.peerID))"
        try await self.get("observer", hash, as: "1.bin", in: network).expectSuccess()
        let observer = try self.workspace.start("observer", ["node"], environment: network.environment)
        _ = try await observer.event("listening") { !$0["addresses"].array.isEmpty }

        // Beside a node that runs, in its name; and from a node that does not.
        let running = try self.workspace.start("reporter", ["node"], environment: network.environment)
        _ = try await running.event("listening") { !$0["addresses"].array.isEmpty }
        let reporter = try #require(try await self.workspace.run("reporter", ["id"]).last["peer"].string)
        let other = try #require(try await self.workspace.run("other", ["id"]).last["peer"].string)
        for node in ["reporter", "other"] {
            let reported = try await self.workspace.run(node, ["report", peer, hash, "--reason", "corrupt", "--detail", "it ends in the middle"], environment: network.environment)
            reported.expectSuccess()
            #expect((reported.first("reported")?["told"].number ?? 0) > 0, "\(reported)")
        }
        try await self.eventually("the observer knows of the reports") {
            let reporters = Set(try await self.status("observer", hash, of: peer)?["reports"].array.compactMap { $0["reporter"].string } ?? [])
            return reporters.isSuperset(of: [reporter, other])
        }
        running.signal(SIGTERM)
        try await running.end()
        // One report, or two of them, is nobody's end: it has the file.
        #expect(try await self.status("observer", hash, of: peer)?["status"].string != "unavailable")
        observer.signal(SIGTERM)
        try await observer.end()

        let file = self.workspace.downloads + "/records.dig"
        try await self.workspace.run("observer", ["records", "export", hash, "-o", file]).expectSuccess()
        try await self.workspace.run("observer", ["records", "export", hash, "-o", file]).expectFailure(5, "--replace")
        // Somebody who knows nobody.
        let verified = try await self.workspace.run("judge", ["records", "verify", file])
        verified.expectSuccess()
        let record = try #require(verified.first("record") { $0["kind"].string == "report" && $0["author"].string == reporter })
        #expect(record["peer"].string == peer && record["contentHash"].string == hash)
        #expect(record["reason"].string == "Content corrupt" && record["detail"].string == "it ends in the middle")

        // A bit of it changed is no record any more.
        var archive = try #require(Workspace.read(file))
        archive[archive.count / 2] ^= 1
        try self.workspace.write(archive, to: file)
        try await self.workspace.run("judge", ["records", "verify", file]).expectFailure(4)
        try await self.workspace.run("judge", ["records", "export", "-o", file + ".none"]).expectFailure(3, "no signed records")
        try await self.workspace.run("judge", ["status", hash]).expectFailure(3, "nothing is known")
        network.first.signal(SIGTERM)
        try await network.first.end()
    }
}
