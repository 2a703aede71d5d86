import ArgumentParser
import DIGAccess
import DIGAvailability
import DIGCommandLine
import DIGContent
import DIGIdentity
import DIGMultiformats
import Foundation
import Testing

@testable import dig_nat

@Suite("Trust, grants, rules and records")
struct AccessCommandTests {
    private let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
    private let hash = "bciqlu6awx6hqdt7kifaubxs5vyrchmadmgrzmf32ts2bb73b6iablli"

    private func parse<Command: ParsableCommand>(_ arguments: String..., as type: Command.Type) throws -> Command {
        try #require(try DigNat.parseAsRoot(arguments) as? Command)
    }

    // MARK: Arguments

    @Test("each has its words, and grant alone makes one")
    func arguments() throws {
        let add = try self.parse("trust", "add", self.peer, "--name", "Anna", as: TrustAddCommand.self)
        #expect(add.peer == self.peer && add.name == "Anna" && add.key == nil)
        #expect(try self.parse("trust", "add", "--key", "k.pub", as: TrustAddCommand.self).key == "k.pub")
        #expect(try self.parse("trust", "remove", "a", "b", as: TrustRemoveCommand.self).peers == ["a", "b"])
        _ = try self.parse("trust", "ls", as: TrustListCommand.self)
        let grant = try self.parse("grant", self.hash, "--to", self.peer, "--expires", "12h", "--note", "n", as: GrantMakeCommand.self)
        #expect(grant.reference == self.hash && grant.to == self.peer && grant.expires.duration == .seconds(43_200) && grant.note == "n")
        #expect(try self.parse("grant", self.hash, as: GrantMakeCommand.self).expires.duration == .seconds(604_800))
        #expect(try self.parse("grant", "--everything", as: GrantMakeCommand.self).everything)
        _ = try self.parse("grant", "list", as: GrantListCommand.self)
        #expect(try self.parse("grant", "revoke", "3f2a", as: GrantRevokeCommand.self).grants == ["3f2a"])
        let access = try self.parse("access", "a.bin", "--allow", "x", "--allow", "y", as: AccessCommand.self)
        #expect(access.reference == "a.bin" && access.access.allow == ["x", "y"] && access.access.isSet)
        #expect(try self.parse("share", "a.bin", "--only-trusted", "--no-anonymous", as: ShareCommand.self).settings == [.anonymous: "false"])
        #expect(try self.parse("share", "a.bin", "--members", "m", as: ShareCommand.self).access.members == "m")
        #expect(try self.parse("node", "--require-authentication", as: NodeCommand.self).settings == [.requireAuthentication: "true"])
        #expect(try self.parse("status", self.hash, as: StatusCommand.self).reference == self.hash)
        #expect(try self.parse("records", "export", "-o", "f", as: RecordsExportCommand.self).output == "f")
    }

    @Test(
        "what can't be meant is a usage error, exit code 64",
        arguments: [
            ["trust", "add"], ["trust", "add", "p", "--name", ""], ["trust", "rm"], ["grant"], ["grant", "a", "--everything"], ["grant", "a", "--expires", "0"],
            ["grant", "a", "--expires", "soon"], ["grant", "revoke"], ["access"], ["access", "a", "--everyone", "--only-trusted"], ["share", "a", "--allow", "p", "--members", "f"],
            ["share", "--only-trusted"], ["status"], ["records", "verify"],
        ])
    func usage(arguments: [String]) throws {
        let error = try #require(throws: (any Error).self) { try DigNat.parseAsRoot(arguments) }
        #expect(DigNat.exitCode(for: error).rawValue == CommandStatus.usage.rawValue, "\(arguments)")
    }

    // MARK: Whom

    @Test("a peer is named by its id, its address, or the name it is trusted under")
    func peers() async throws {
        let (first, second) = (try KeyPair.generate().publicKey, try KeyPair.generate().publicKey)
        let store = MemoryAccessStore()
        try await store.trust(TrustedPeer(publicKey: first, name: "Anna"))
        #expect(try await PeerText.peer("\(first.peerID)", in: store) == first.peerID)
        #expect(try await PeerText.peer("/ip4/1.2.3.4/tcp/1/p2p/\(second.peerID)", in: store) == second.peerID)
        #expect(try await PeerText.peer("Anna", in: store) == first.peerID)
        await #expect(throws: CommandFailure.self) { try await PeerText.peer("Berta", in: store) }
        try await store.trust(TrustedPeer(publicKey: second, name: "Anna"))
        let failure = await #expect(throws: CommandFailure.self) { try await PeerText.peer("Anna", in: store) }
        #expect(failure?.details.count == 2)
        #expect(throws: CommandFailure.self) { try PeerText.peer("Anna") }
        #expect(throws: CommandFailure.self) { try PeerText.peer("/ip4/1.2.3.4/tcp/1") }
    }

    @Test("a public key is read in every form, from a file too; a private one is not")
    func publicKeys() throws {
        let wallet = try KeyPair(secp256k1PrivateKey: String(repeating: "0", count: 63) + "1")
        let hexadecimal = Base16.encode(wallet.publicKey.rawRepresentation)
        #expect(try PeerText.publicKey(hexadecimal) == wallet.publicKey)
        #expect(try PeerText.publicKey("0x" + Base16.encode(try #require(wallet.publicKey.uncompressedRepresentation))) == wallet.publicKey)
        let ed25519 = try KeyPair.generate().publicKey
        #expect(try PeerText.publicKey("\(ed25519)") == ed25519)
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dig-key-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(pem.utf8).write(to: URL(fileURLWithPath: path))
        #expect(try PeerText.publicKey(path) == PeerText.publicKey(pem))
        for text in ["ed25519:zz", "secp256k1:00", "ssh-ed25519 x", "/nowhere/at/all", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"] {
            #expect(throws: CommandFailure.self) { try PeerText.publicKey(text) }
        }
    }

    @Test("members are listed one a line, by member key or a wallet's peer id; mistakes are named with their line")
    func rings() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dig-ring-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func ring(_ text: String) throws -> MemberRing {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            return try AccessText.ring(fileAt: path)
        }
        let wallet = try KeyPair.generate(.secp256k1)
        let (anna, berta) = (try MemberKeyPair(try KeyPair.generate()).publicKey, try MemberKeyPair(wallet).publicKey)
        let read = try ring("# swarm\r\n\r\n\(anna)  Anna\r\n  \(wallet.peerID) Berta, by her wallet\n\(anna) again")
        #expect(read == (try MemberRing([anna, berta])))
        let failure = #expect(throws: CommandFailure.self) { try ring("\(anna)\n\nnobody\n") }
        #expect(failure?.what.hasPrefix("\(path):3: ") == true)
        #expect(throws: CommandFailure.self) { try ring("# nobody\n") }
        #expect(throws: CommandFailure.self) { try ring("\(try KeyPair.generate().peerID)") }
        #expect(throws: CommandFailure.self) { try AccessText.ring(fileAt: path + ".missing") }
    }

    @Test("options become a rule; nothing said is no rule")
    func rules() async throws {
        let store = MemoryAccessStore()
        func rule(_ arguments: String...) async throws -> ContentAccess? {
            try await self.parse(["access", "x"] + arguments).access.access(in: store)
        }
        #expect(try await rule() == nil)
        #expect(try await rule("--everyone") == .everyone)
        #expect(try await rule("--only-trusted") == .trusted)
        #expect(try await rule("--only-granted") == .only([]))
        #expect(try await rule("--allow", self.peer, "--allow", self.peer) == .only([try PeerID(self.peer)]))
        await #expect(throws: CommandFailure.self) { try await rule("--allow", "nobody") }
    }

    private func parse(_ arguments: [String]) throws -> AccessCommand { try #require(try DigNat.parseAsRoot(arguments) as? AccessCommand) }

    @Test("a rule is said in words, and nothing is said of none")
    func words() throws {
        #expect(AccessText.words(.everyone) == nil)
        #expect(AccessText.words(.trusted) == "only trusted peers and those with a grant")
        #expect(AccessText.words(.only([])) == "only those with a grant")
        #expect(AccessText.words(.only([try PeerID(self.peer)])) == "only 1 peer and those with a grant")
        #expect(AccessText.json(.only([try PeerID(self.peer)])).text == #"{"for":"only","peers":["\#(self.peer)"]}"#)
    }

    @Test("a grant is one line: its number, whether it is good, until when, for whom, and what")
    func grants() throws {
        let hash = try ContentHash(parsing: self.hash)
        var token = IssuedToken(
            id: try #require(AccessTokenID(bytes: Array(0..<16))), contents: [hash], holder: try PeerID(self.peer), note: "for the\nparty", issuedMilliseconds: 1_800_000_000_000,
            expiresMilliseconds: 1_800_000_060_000)
        let line = GrantRow(token, names: [hash: "film.bin"], now: 1_800_000_000_000).line
        #expect(line == "000102030405060708090a0b0c0d0e0f  good     until 2027-01-15T08:01:00Z  \(self.peer)  film.bin  for the\\u{a}party", "\(line)")
        #expect(GrantRow(token, names: [:], now: 1_800_000_060_000).line.contains("  over  "))
        token.isRevoked = true
        token.holder = nil
        token.contents = []
        #expect(GrantRow(token, names: [:], now: 0).line.contains("  revoked  until 2027-01-15T08:01:00Z  whoever has it  everything"))
    }

    // MARK: Who has it

    @Test("the best holder comes first, and each says why")
    func holders() throws {
        let content = try ContentHash(parsing: self.hash)
        let peers = try (0..<3).map { _ in try KeyPair.generate().peerID }
        var table = AvailabilityTable()
        let now: UInt64 = 1_800_000_000_000
        for peer in peers { try table.claimed(by: peer, content: content, nowMilliseconds: now) }
        table.experienced(.missing, of: peers[0], content: content, nowMilliseconds: now)
        table.experienced(.proved, of: peers[2], content: content, nowMilliseconds: now)
        let reports = table.holders(of: content, nowMilliseconds: now).map {
            HolderReport(content: content, state: $0, reports: [], name: $0.peer == peers[2] ? "Anna" : nil, isTrusted: $0.peer == peers[2], now: now + 60_000)
        }.sorted(by: HolderReport.isBetter)
        #expect(reports.map(\.state.peer) == [peers[2], peers[1], peers[0]])
        #expect(reports[0].text.hasPrefix("available    \(peers[2])  Anna  (trusted)\n    has proven that it has it"))
        #expect(reports[0].text.contains("last proof 1:00 ago"))
        #expect(reports[1].text.contains("never proven to this node"))
        #expect(reports[2].text.hasPrefix("unavailable  \(peers[0])\n"))
        #expect(reports[0].event["status"] == "available" && reports[2].event["status"] == "unavailable")
    }

    @Test("a record is right or wrong, with who says what")
    func records() throws {
        let key = try KeyPair.generate()
        let content = try ContentHash(parsing: self.hash)
        let now: UInt64 = 1_800_000_000_000
        let report = AvailabilityReport(
            reporter: key.peerID, reported: try PeerID(self.peer), content: content, reason: .noProof, detail: "a\u{1b}b", timestampMilliseconds: now)
        let envelope = try report.signed(with: key)
        let right = RecordVerdict(SignedRecord(.envelope(envelope), receivedMilliseconds: now), number: 1)
        #expect(right.isRight && right.line.hasPrefix("right  2027-01-15T08:00:00Z  \(key.peerID) says of \(self.peer) and \(self.hash): Content not proven (a"))
        #expect(!right.line.contains("\u{1b}"))
        // Received a month later it was worth nothing any more.
        let late = RecordVerdict(SignedRecord(.envelope(envelope), receivedMilliseconds: now + 30 * 86_400_000), number: 2)
        #expect(!late.isRight && late.line == "wrong  record 2: a record that is too old")
        #expect(late.event["verified"] == false && late.event["message"] == "a record that is too old")
    }
}
