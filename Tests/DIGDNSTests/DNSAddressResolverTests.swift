import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGDNS

@Suite("dnsaddr", .timeLimit(.minutes(2)))
struct DNSAddressResolverTests {
    let peer: PeerID
    let other: PeerID

    init() throws {
        self.peer = try KeyPair.generate().peerID
        self.other = try KeyPair.generate().peerID
    }

    private func resolve(
        _ address: String, of peer: PeerID? = nil, _ records: MadeUpRecords, _ change: (inout DNSConfiguration) -> Void = { _ in }
    ) async throws -> [String] {
        var configuration = DNSConfiguration()
        change(&configuration)
        return try await DNSAddressResolver(configuration: configuration, source: records).addresses(behind: Multiaddr(address), of: peer).map(\.description)
    }

    @Test("stands for the addresses in its TXT records")
    func records() async throws {
        let records = MadeUpRecords(["_dnsaddr.example.org": ["dnsaddr=/ip4/203.0.113.1/tcp/4001/p2p/\(self.peer)", "dnsaddr=/dns4/a.example.org/tcp/443/wss"]])
        #expect(try await self.resolve("/dnsaddr/Example.ORG", records) == ["/ip4/203.0.113.1/tcp/4001/p2p/\(self.peer)", "/dns4/a.example.org/tcp/443/wss"])
        #expect(records.asked == ["_dnsaddr.example.org"])
        #expect(try await self.resolve("/ip4/203.0.113.1/tcp/1", records) == ["/ip4/203.0.113.1/tcp/1"])
    }

    @Test("its end picks those that end with it")
    func suffix() async throws {
        let records = MadeUpRecords([
            "_dnsaddr.example.org": [
                "dnsaddr=/ip4/203.0.113.1/tcp/4001/p2p/\(self.peer)", "dnsaddr=/ip4/203.0.113.2/tcp/4001/p2p/\(self.other)", "dnsaddr=/ip4/203.0.113.3/tcp/4001",
                "dnsaddr=/ip4/203.0.113.4/tcp/4001/p2p/\(self.other)/p2p-circuit/p2p/\(self.peer)",
            ]
        ])
        #expect(
            try await self.resolve("/dnsaddr/example.org/p2p/\(self.peer)", records) == [
                "/ip4/203.0.113.1/tcp/4001/p2p/\(self.peer)", "/ip4/203.0.113.4/tcp/4001/p2p/\(self.other)/p2p-circuit/p2p/\(self.peer)",
            ])
        #expect(try await self.resolve("/dnsaddr/example.org/tcp/4001", records) == ["/ip4/203.0.113.3/tcp/4001"])
        // Who only wants one peer need not know whether the records name it.
        #expect(try await self.resolve("/dnsaddr/example.org", of: self.other, records) == ["/ip4/203.0.113.2/tcp/4001/p2p/\(self.other)", "/ip4/203.0.113.3/tcp/4001"])
        await #expect(throws: DNSError(.notFound, "")) { _ = try await self.resolve("/dnsaddr/example.org/p2p/\(KeyPair.generate().peerID)", records) }
    }

    @Test("leads on to further names, as the public bootstrap list does")
    func recursive() async throws {
        let records = MadeUpRecords([
            "_dnsaddr.bootstrap.example": ["dnsaddr=/dnsaddr/a.bootstrap.example/p2p/\(self.peer)", "dnsaddr=/dnsaddr/b.bootstrap.example/p2p/\(self.other)"],
            "_dnsaddr.a.bootstrap.example": [
                "dnsaddr=/ip4/203.0.113.1/tcp/4001/p2p/\(self.peer)", "dnsaddr=/ip6/2001:db8::1/tcp/4001/p2p/\(self.peer)", "dnsaddr=/ip4/203.0.113.9/tcp/1/p2p/\(self.other)",
            ],
            "_dnsaddr.b.bootstrap.example": ["dnsaddr=/ip4/203.0.113.2/tcp/4001/p2p/\(self.other)"],
        ])
        let first = ["/ip4/203.0.113.1/tcp/4001/p2p/\(self.peer)", "/ip6/2001:db8::1/tcp/4001/p2p/\(self.peer)"]
        #expect(try await self.resolve("/dnsaddr/bootstrap.example/p2p/\(self.peer)", records) == first)
        #expect(records.asked == ["_dnsaddr.bootstrap.example", "_dnsaddr.a.bootstrap.example"])
        // Without the end, too, nobody else's name is asked for.
        #expect(try await self.resolve("/dnsaddr/bootstrap.example", of: self.peer, records) == first)
        #expect(records.asked.count == 4)
        #expect(try await self.resolve("/dnsaddr/bootstrap.example", records) == first + ["/ip4/203.0.113.2/tcp/4001/p2p/\(self.other)"])
    }

    @Test("records in circles end, also across names and upper case")
    func circles() async throws {
        let records = MadeUpRecords([
            "_dnsaddr.a.example": ["dnsaddr=/dnsaddr/a.example", "dnsaddr=/dnsaddr/b.example", "dnsaddr=/dnsaddr/A.Example"],
            "_dnsaddr.b.example": ["dnsaddr=/dnsaddr/a.example", "dnsaddr=/ip4/203.0.113.1/tcp/1"],
        ])
        #expect(try await self.resolve("/dnsaddr/a.example", records) == ["/ip4/203.0.113.1/tcp/1"])
        #expect(records.asked == ["_dnsaddr.a.example", "_dnsaddr.b.example"])
    }

    @Test("the depth is bounded, and what was found before counts")
    func depth() async throws {
        let records = MadeUpRecords { name in
            let number = Int(name.split(separator: ".")[1].dropFirst()) ?? 0
            return ["dnsaddr=/ip4/203.0.113.\(number)/tcp/1", "dnsaddr=/dnsaddr/n\(number + 1).example"]
        }
        #expect(try await self.resolve("/dnsaddr/n1.example", records) == (1...4).map { "/ip4/203.0.113.\($0)/tcp/1" })
        #expect(records.asked.count == 4)
        let endless = MadeUpRecords { name in ["dnsaddr=/dnsaddr/x\(name.dropFirst(9))"] }
        await #expect(throws: DNSError(.notFound, "")) { _ = try await self.resolve("/dnsaddr/x", endless) }
        #expect(endless.asked.count == 4)
    }

    @Test("names and addresses are bounded in all")
    func bounds() async throws {
        let names = MadeUpRecords { name in (0..<256).map { "dnsaddr=/dnsaddr/n\($0).\(name.dropFirst(9))" } }
        await #expect(throws: DNSError(.notFound, "")) { _ = try await self.resolve("/dnsaddr/example", names) }
        #expect(names.asked.count == 32)
        let addresses = MadeUpRecords { _ in (0..<256).map { "dnsaddr=/ip4/203.0.113.\($0)/tcp/1" } }
        #expect(try await self.resolve("/dnsaddr/example", addresses).count == 100)
        // The same a hundred times is one.
        let same = MadeUpRecords { _ in Array(repeating: "dnsaddr=/ip4/203.0.113.1/tcp/1", count: 200) }
        #expect(try await self.resolve("/dnsaddr/example", same).count == 1)
    }

    @Test("records that are no address are left out")
    func others() async throws {
        let records = MadeUpRecords([
            "_dnsaddr.example": [
                "", "dnsaddr", "dnsaddr=", "dnsaddr=nonsense", "dnsaddr=/ip4/1.2.3/tcp/1", "v=spf1 -all", " dnsaddr=/ip4/203.0.113.1/tcp/1", "dnsaddr=/nosuch/1",
                "dnsaddr=/" + String(repeating: "ip4/1.2.3.4/", count: 400), "dnsaddr=/ip4/203.0.113.1/tcp/1/dnsaddr/example.org", "dnsaddr=/ip4/203.0.113.7/tcp/1",
            ]
        ])
        #expect(try await self.resolve("/dnsaddr/example", records) == ["/ip4/203.0.113.7/tcp/1"])
        let error = await #expect(throws: DNSError.self) { _ = try await self.resolve("/dnsaddr/nosuch", records) }
        #expect(error?.message == "_dnsaddr.nosuch does not exist")
    }

    @Test("one name that can't be asked for does not hide the others")
    func partly() async throws {
        let records = MadeUpRecords { name in
            switch name {
            case "_dnsaddr.example": ["dnsaddr=/dnsaddr/down.example", "dnsaddr=/dnsaddr/up.example"]
            case "_dnsaddr.up.example": ["dnsaddr=/ip4/203.0.113.7/tcp/1"]
            default: throw DNSError(.timedOut, "no server")
            }
        }
        #expect(try await self.resolve("/dnsaddr/example", records) == ["/ip4/203.0.113.7/tcp/1"])
        await #expect(throws: DNSError(.timedOut, "")) { _ = try await self.resolve("/dnsaddr/down.example", records) }
    }

    @Test("a name that is none is never asked for")
    func names() async throws {
        let records = MadeUpRecords { _ in ["dnsaddr=/ip4/203.0.113.7/tcp/1"] }
        let resolver = DNSAddressResolver(configuration: .init(), source: records)
        for name in ["", ".", "a..b", "a b", "a\u{0}.example", "b\u{fc}cher.example", "-/x", String(repeating: "a", count: 64), String(repeating: "a.", count: 124) + "a"] {
            await #expect(throws: DNSError(.invalidName, ""), "\(name)") { _ = try await resolver.addresses(behind: Multiaddr(components: [.dnsaddr(name)]), of: nil) }
        }
        #expect(records.asked.isEmpty)
    }
}
