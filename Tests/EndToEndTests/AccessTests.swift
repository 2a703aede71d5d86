import DIGContent
import DIGIdentity
import Foundation
import Testing

@testable import DIGAccess

/// Who is served and who is not, with real processes.
@Suite("access", .serialized, .timeLimit(.minutes(5)))
struct AccessTests {
    let workspace: Workspace
    let bytes = SampleFile.bytes(300_000)

    init() throws {
        self.workspace = try Workspace()
    }

    /// The peer id of a node that does not run.
    private func peer(_ node: String) async throws -> String {
        try #require(try await self.workspace.run(node, ["id"]).last["peer"].string)
    }

    private func get(_ node: String, _ reference: String, as name: String) async throws -> DigNatProcess.State {
        try await self.workspace.run(node, ["get", reference, "-o", self.workspace.downloads + "/" + name, "--timeout", "20"])
    }

    /// It was refused, it says so and what to do, and nothing came: no file, no part of one, no size, no name.
    private func expectRefusal(_ state: DigNatProcess.State, _ texts: String..., named name: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(state.exitCode == 6, "\(state)", sourceLocation: sourceLocation)
        let error = state.events.last { $0.event == "error" } ?? .null
        let message = ([error["message"].string ?? ""] + error["details"].array.compactMap(\.string) + [error["next"].string ?? ""]).joined(separator: "\n")
        for text in texts { #expect(message.contains(text), "\(state)", sourceLocation: sourceLocation) }
        #expect(!self.workspace.downloaded.contains { $0.contains(name) }, sourceLocation: sourceLocation)
        #expect(state.first("progress") { ($0["bytes"].number ?? 0) > 0 } == nil, "\(state)", sourceLocation: sourceLocation)
    }

    private func grant(_ arguments: String...) async throws -> (link: String, id: String) {
        let result = try await self.workspace.run("holder", ["grant"] + arguments)
        result.expectSuccess()
        return (try #require(result.last["link"].string), try #require(result.last["id"].string))
    }

    private func expectGot(_ state: DigNatProcess.State, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) {
        state.expectSuccess(sourceLocation: sourceLocation)
        Workspace.expect(self.workspace.downloads + "/" + name, holds: self.bytes, sourceLocation: sourceLocation)
    }

    @Test("who is not trusted gets a clear refusal and no byte; once trusted, the file")
    func trusted() async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write(self.bytes, to: "film.bin"), "--only-trusted"])
        let friend = try await self.peer("friend")
        self.expectRefusal(try await self.get("friend", "\(holder.link)", as: "a.bin"), "dig-nat grant", "--to \(friend)", named: "a.bin")

        // Beside the node that runs.
        let added = try await self.workspace.run("holder", ["trust", "add", friend, "--name", "Friend"])
        added.expectSuccess()
        let list = try await self.workspace.run("holder", ["trust", "ls"])
        #expect(list.first("trusted")?["peer"].string == friend && list.first("trusted")?["name"].string == "Friend")
        self.expectGot(try await self.get("friend", "\(holder.link)", as: "b.bin"), "b.bin")

        try await self.workspace.run("holder", ["trust", "rm", "Friend"]).expectSuccess()
        try await self.workspace.run("holder", ["trust", "rm", "Friend"]).expectFailure(3, "Friend")
        self.expectRefusal(try await self.get("friend", "\(holder.link)", as: "c.bin"), "dig-nat grant", named: "c.bin")
        holder.process.signal(SIGTERM)
        let end = try await holder.process.end()
        #expect(end.first("stopped")?["bytes"].number == 300_000, "one transfer and no more: \(end)")
        self.workspace.expectNothingElseTouched()
    }

    @Test("an answer to one challenge is worth nothing as the answer to another, on the same connection or a new one")
    func replay() async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write(self.bytes, to: "film.bin"), "--only-trusted"])
        let friend = try KeyPair.generate()
        try await self.workspace.run("holder", ["trust", "add", "\(friend.peerID)"]).expectSuccess()
        let address = try holder.address

        let first = try await AccessPeer.connected(to: address, as: friend)
        var heard: AccessResponse?
        let verdict = try await first.exchange { challenge in
            let answer = try first.answer(challenge)
            heard = answer
            return answer
        }
        #expect(verdict.refusal == nil && verdict.isTrusted)
        let answer = try #require(heard)
        #expect(try await first.exchange { _ in answer }.refusal == .challengeReplayed)
        await first.stop()

        // With the same key, even: the connection is another.
        let second = try await AccessPeer.connected(to: address, as: friend)
        #expect(try await second.exchange { _ in answer }.refusal == .challengeReplayed)
        let forged = try await second.exchange { challenge in
            var forged = answer
            forged.nonce = challenge.challenge.nonce
            return forged
        }
        #expect(forged.refusal == .badSignature && !forged.isTrusted)
        await second.stop()
    }

    @Test("a link with a grant works for whom it is, not for who has stolen it, and not when it is revoked")
    func grants() async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write(self.bytes, to: "film.bin"), "--only-trusted"])
        let friend = try await self.peer("friend")
        let granted = try await self.grant("\(holder.link)", "--to", friend, "--expires", "7d")
        #expect(try ShareLink(parsing: granted.link).peers == holder.link.peers, "the link still says where to go")
        self.expectGot(try await self.get("friend", granted.link, as: "a.bin"), "a.bin")

        self.expectRefusal(try await self.get("thief", granted.link, as: "b.bin"), "another peer", named: "b.bin")
        let list = try await self.workspace.run("holder", ["grant", "ls"])
        let entry = try #require(list.first("grant") { $0["id"].string == granted.id })
        #expect(entry["holder"].string == friend && entry["revoked"].boolean == false)

        try await self.workspace.run("holder", ["grant", "revoke", granted.id]).expectSuccess()
        self.expectRefusal(try await self.get("friend", granted.link, as: "c.bin"), "revoked", named: "c.bin")
        #expect(try await self.workspace.run("holder", ["grant", "ls"]).first("grant") { $0["id"].string == granted.id }?["revoked"].boolean == true)
        try await self.workspace.run("holder", ["grant", "revoke", "0123"]).expectFailure(3, "0123")

        // One that is over soon: it may still be good the first times.
        let short = try await self.grant("\(holder.link)", "--to", friend, "--expires", "1s")
        var last: DigNatProcess.State?
        for number in 0..<50 {
            last = try await self.get("friend", short.link, as: "short\(number).bin")
            if last?.exitCode != 0 { break }
        }
        self.expectRefusal(try #require(last), "expired", named: "none")
        self.workspace.expectNothingElseTouched()
    }

    @Test("a grant for whoever has the link, for this content only")
    func bearer() async throws {
        let holder = try await self.workspace.share("holder", [try self.workspace.write(self.bytes, to: "film.bin"), "--only-trusted"])
        let other = try self.workspace.write(SampleFile.bytes(1000, seed: 7), to: "other.bin")
        let second = try await self.workspace.share("second", [other, "--only-trusted"])
        // By its path: the addresses are those of the node that runs.
        let granted = try await self.grant(self.workspace.source + "/film.bin", "--note", "for the party")
        let link = try ShareLink(parsing: granted.link)
        #expect(link.peers == holder.link.peers && link.descriptor == holder.link.descriptor && link.name == "film.bin")
        self.expectGot(try await self.get("anybody", granted.link, as: "a.bin"), "a.bin")
        #expect(try await self.workspace.run("holder", ["grant", "ls"]).first("grant")?["note"].string == "for the party")
        // The token of one host at another.
        let token = try #require(try ShareLink(parsing: granted.link).token)
        let forged = try second.link.withToken(token)
        self.expectRefusal(try await self.get("anybody", "\(forged)", as: "b.bin"), named: "b.bin")
    }

    @Test("--allow names peers, and a later share without it keeps the rule; --everyone ends it")
    func allowed() async throws {
        let path = try self.workspace.write(self.bytes, to: "film.bin")
        let friend = try await self.peer("friend")
        var holder = try await self.workspace.share("holder", [path, "--allow", friend])
        self.expectGot(try await self.get("friend", "\(holder.link)", as: "a.bin"), "a.bin")
        self.expectRefusal(try await self.get("stranger", "\(holder.link)", as: "b.bin"), "dig-nat grant", named: "b.bin")
        holder.process.signal(SIGTERM)
        try await holder.process.end()

        holder = try await self.workspace.share("holder", [path])
        self.expectRefusal(try await self.get("stranger", "\(holder.link)", as: "b.bin"), named: "b.bin")
        let listed = try await self.workspace.run("holder", ["ls"]).first("content")
        #expect(listed?["access"]["for"].string == "only" && listed?["access"]["peers"].array.map(\.string) == [friend])
        try await self.workspace.run("holder", ["access", path, "--everyone"]).expectSuccess()
        self.expectGot(try await self.get("stranger", "\(holder.link)", as: "b.bin"), "b.bin")
    }

    @Test("a file of a folder is not had by its own hash either")
    func folder() async throws {
        try self.workspace.write(self.bytes, to: "folder/film.bin")
        let holder = try await self.workspace.share("holder", [self.workspace.source + "/folder", "--only-trusted"])
        let descriptor = try SampleFile(byteCount: self.bytes.count).descriptor
        self.expectRefusal(try await self.get("stranger", "\(holder.link)", as: "a"), named: "a")
        let link = try ShareLink(descriptor: descriptor, name: "film.bin", peers: holder.link.peers)
        self.expectRefusal(try await self.get("stranger", "\(link)", as: "b.bin"), named: "b.bin")
        try await self.workspace.run("holder", ["trust", "add", try await self.peer("friend")]).expectSuccess()
        self.expectGot(try await self.get("friend", "\(link)", as: "c.bin"), "c.bin")
        try await self.get("friend", "\(holder.link)", as: "d").expectSuccess()
        Workspace.expect(self.workspace.downloads + "/d/film.bin", holds: self.bytes)
    }

    @Test("members of a ring are served, and nobody learns which of them; others are refused")
    func members() async throws {
        func memberKey(_ node: String) async throws -> String { try #require(try await self.workspace.run(node, ["id"]).last["memberKey"].string) }
        let keys = [try await memberKey("anna"), try await memberKey("berta")]
        let ring = try self.workspace.write("# who is in\n\(keys[0])  Anna\n\n\(keys[1])\n".utf8, to: "ring.txt")
        let holder = try await self.workspace.share("holder", [try self.workspace.write(self.bytes, to: "film.bin"), "--members", ring])
        for (index, node) in ["anna", "berta"].enumerated() {
            let result = try await self.workspace.run(node, ["get", "\(holder.link)", "--members", ring, "-o", self.workspace.downloads + "/\(index).bin"])
            self.expectGot(result, "\(index).bin")
        }
        self.expectRefusal(try await self.get("stranger", "\(holder.link)", as: "c.bin"), "member", named: "c.bin")
    }

    @Test("a node can ask everybody who they are, or take only those it knows")
    func policy() async throws {
        let path = try self.workspace.write(self.bytes, to: "film.bin")
        let asking = try await self.workspace.share("asking", [path, "--require-authentication"])
        self.expectGot(try await self.get("anybody", "\(asking.link)", as: "a.bin"), "a.bin")
        let closed = try await self.workspace.share("closed", [path, "--no-anonymous"])
        self.expectRefusal(try await self.get("anybody", "\(closed.link)", as: "b.bin"), "dig-nat", named: "b.bin")
        try await self.workspace.run("closed", ["trust", "add", try await self.peer("friend")]).expectSuccess()
        self.expectGot(try await self.get("friend", "\(closed.link)", as: "b.bin"), "b.bin")

        let settings = try await self.workspace.run("closed", ["config", "--no-anonymous"], environment: ["DIG_NAT_REQUIRE_AUTHENTICATION": "true"])
        func setting(_ key: String) -> JSON { settings.first("setting") { $0["key"].string == key } ?? .null }
        #expect(setting("anonymous")["value"].boolean == false && setting("anonymous")["origin"].string == "flag")
        #expect(setting("require-authentication")["value"].boolean == true && setting("require-authentication")["origin"].string == "environment")
    }

    @Test("a wallet's key is who one is: trusted by its peer id, used from another computer")
    func wallet() async throws {
        let key = try self.workspace.write("0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318".utf8, to: "key.txt")
        let peer = try #require(try await self.workspace.run("laptop", ["id", "import", key]).last["peer"].string)
        let holder = try await self.workspace.share("holder", [try self.workspace.write(self.bytes, to: "film.bin"), "--allow", peer])
        self.expectGot(try await self.get("laptop", "\(holder.link)", as: "a.bin"), "a.bin")
        try await self.workspace.run("desktop", ["id", "import", key]).expectSuccess()
        self.expectGot(try await self.get("desktop", "\(holder.link)", as: "b.bin"), "b.bin")
    }
}
