import DIGMultiformats
import DIGTestSupport
import Foundation
import Testing

@Suite("Multiaddr")
struct MultiaddrTests {
    static let peer = "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"
    static let peerBytes = "a503 22 1220d52ebb89d85b02a284948203a62ff28389c57c9f42beec4ec20db76a68911c0b"

    static let vectors: [(text: String, encoded: String)] = [
        ("/ip4/127.0.0.1/udp/1234", "047f000001 910204d2"),
        ("/ip4/127.0.0.1/tcp/4321", "047f000001 0610e1"),
        ("/ip6/2001:8a0:7ac5:4201:3ac9:86ff:fe31:7095/tcp/8000", "29200108a07ac542013ac986fffe317095 061f40"),
        ("/ip6zone/eth0/ip6/fe80::1", "2a0465746830 29fe800000000000000000000000000001"),
        ("/dns/a.example", "3509 612e6578616d706c65"),
        ("/dns4/a.example/tcp/443/wss", "3609 612e6578616d706c65 0601bb de03"),
        ("/dns6/a.example/tcp/80/ws", "3709 612e6578616d706c65 060050 dd03"),
        ("/dnsaddr/a.example", "3809 612e6578616d706c65"),
        ("/ip4/192.0.2.1/tcp/443/tls/sni/a.example/ws", "04c0000201 0601bb c003 c10309 612e6578616d706c65 dd03"),
        ("/ip4/192.0.2.1/udp/4001/quic-v1", "04c0000201 91020fa1 cd03"),
        ("/ip4/192.0.2.1/udp/4001/webrtc-direct/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ",
            "04c0000201 91020fa1 9802 d20322 1220241f96b80cf18a52e3818d8c340a0c23bdc24224c0f62bfd5a96e291feda5ebd"),
        ("/p2p/\(peer)", peerBytes),
        ("/ip4/1.2.3.4/tcp/80/p2p/\(peer)/p2p-circuit/webrtc", "0401020304 060050 \(peerBytes) a202 9902"),
        ("/memory/258", "8906 0000000000000102"),
    ]

    @Test("reads and writes both forms", arguments: vectors)
    func published(text: String, encoded: String) throws {
        let address = try Multiaddr(text)
        #expect(address.bytes == bytes(encoded))
        #expect(address.description == text)
        #expect(try Multiaddr(bytes: bytes(encoded)) == address)
    }

    @Test("every strict prefix of the bytes is an error, or the components that are whole", arguments: vectors)
    func prefixes(text: String, encoded: String) throws {
        let whole = bytes(encoded)
        let components = try Multiaddr(text).components
        for count in 0..<whole.count {
            do throws(MultiaddrError) {
                let shorter = try Multiaddr(bytes: whole.prefix(count))
                #expect(shorter.bytes == Array(whole.prefix(count)))
                #expect(components.starts(with: shorter.components))
                #expect(shorter.components.count < components.count)
            } catch {
                #expect(error.offset <= count)
            }
        }
    }

    @Test("whatever can be read is written back as it was", arguments: vectors)
    func damaged(text: String, encoded: String) {
        let whole = bytes(encoded)
        for index in whole.indices {
            for bit in 0..<8 {
                var damaged = whole
                damaged[index] ^= 1 << UInt8(bit)
                do throws(MultiaddrError) {
                    #expect(try Multiaddr(bytes: damaged).bytes == damaged)
                } catch {
                    #expect(error.offset <= damaged.count)
                }
            }
        }
    }

    @Test("reads random bytes without a trap")
    func random() {
        var generator = SeededGenerator(seed: 3)
        let codes = Self.vectors.flatMap { bytes($0.encoded) }
        for _ in 0..<3000 {
            let count = Int.random(in: 0...40, using: &generator)
            let random = (0..<count).map { _ in codes.randomElement(using: &generator) ?? 0 }
            do throws(MultiaddrError) { #expect(try Multiaddr(bytes: random).bytes == random) } catch {}
        }
    }

    @Test(
        "says what is wrong and where",
        arguments: [
            ("", MultiaddrError.Code.empty, 0, ""),
            ("/", .empty, 1, ""),
            ("ip4/1.2.3.4", .syntax, 0, ""),
            ("//ip4/1.2.3.4", .syntax, 1, ""),
            ("/ip4/1.2.3.4//tcp/1", .syntax, 13, ""),
            ("/ip4/1.2.3.4//", .syntax, 13, ""),
            ("/ip4", .missingValue, 1, "ip4"),
            ("/ip4/", .missingValue, 1, "ip4"),
            ("/ip4//tcp/1", .missingValue, 1, "ip4"),
            ("/ip4/1.2.3/tcp/1", .invalidValue, 1, "ip4"),
            ("/ip4/::1", .invalidValue, 1, "ip4"),
            ("/ip6/1.2.3.4", .invalidValue, 1, "ip6"),
            ("/ip6/fe80::1%eth0", .invalidValue, 1, "ip6"),
            ("/ip4/1.2.3.4/tcp/65536", .invalidValue, 13, "tcp"),
            ("/ip4/1.2.3.4/tcp/-1", .invalidValue, 13, "tcp"),
            ("/ip4/1.2.3.4/tcp/+1", .invalidValue, 13, "tcp"),
            ("/ip4/1.2.3.4/tcp/01", .invalidValue, 13, "tcp"),
            ("/ip4/1.2.3.4/udp/x", .invalidValue, 13, "udp"),
            ("/ip4/1.2.3.4/gopher/70", .unknownProtocol, 13, "gopher"),
            ("/IP4/1.2.3.4", .unknownProtocol, 1, "IP4"),
            ("/dns4/a..example", .invalidValue, 1, "dns4"),
            ("/dns4/.example", .invalidValue, 1, "dns4"),
            ("/dns4/a example", .invalidValue, 1, "dns4"),
            ("/dns4/bücher.example", .invalidValue, 1, "dns4"),
            ("/dns4/\(String(repeating: "a", count: 64)).example", .invalidValue, 1, "dns4"),
            ("/dns4/\(String(repeating: "a.", count: 127))", .invalidValue, 1, "dns4"),
            ("/p2p/Qm", .invalidValue, 1, "p2p"),
            ("/p2p/z", .invalidValue, 1, "p2p"),
            ("/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNK0", .invalidValue, 1, "p2p"),
            ("/certhash/zz", .invalidValue, 1, "certhash"),
            ("/memory/18446744073709551616", .invalidValue, 1, "memory"),
            ("/p2p-circuit/x", .unknownProtocol, 13, "x"),
        ])
    func refused(text: String, code: MultiaddrError.Code, offset: Int, component: String) {
        do throws(MultiaddrError) {
            _ = try Multiaddr(text)
            Issue.record("\(text) was accepted")
        } catch {
            #expect(error.code == code, "\(error)")
            #expect(error.offset == offset, "\(error)")
            #expect(error.component == component, "\(error)")
        }
    }

    @Test(
        "refuses bytes with values that do not belong to their protocol",
        arguments: [
            ("", MultiaddrError.Code.empty), ("0501020304", .unknownProtocol), ("8400", .syntax),
            ("35 00", .invalidValue), ("35 01 2f", .invalidValue), ("35 02 c328", .invalidValue), ("35 ff01 61", .missingValue),
            ("35 ffffffffffffffff7f 61", .missingValue), ("35 ffffffffffffffffff01 61", .syntax), ("2a 01 2f", .invalidValue),
            ("a503 00", .invalidValue), ("a503 02 1200", .invalidValue), ("a503 02 0000", .invalidValue),
            ("d203 03 122001", .invalidValue),
        ])
    func refusedBytes(encoded: String, code: MultiaddrError.Code) {
        do throws(MultiaddrError) {
            _ = try Multiaddr(bytes: bytes(encoded))
            Issue.record("accepted")
        } catch {
            #expect(error.code == code, "\(error)")
        }
    }

    @Test("keeps to its limits")
    func limits() throws {
        let longest = String(repeating: "/p2p-circuit", count: Multiaddr.maximumComponentCount)
        let address = try Multiaddr(longest)
        #expect(try Multiaddr(bytes: address.bytes) == address)
        let code = MultiaddrError(.limitExceeded, offset: 0, component: "", "")
        #expect(throws: code) { try Multiaddr(longest + "/p2p-circuit") }
        #expect(throws: code) { try Multiaddr(bytes: address.bytes + bytes("a202")) }
        #expect(throws: code) { try Multiaddr(String(repeating: "/", count: Multiaddr.maximumByteCount + 1)) }
        #expect(throws: code) { try Multiaddr(bytes: [UInt8](repeating: 0, count: Multiaddr.maximumByteCount + 1)) }
    }

    @Test("reads former and other names of the same thing")
    func aliases() throws {
        let address = try Multiaddr("/p2p/\(Self.peer)")
        #expect(try Multiaddr("/ipfs/\(Self.peer)") == address)
        #expect(try Multiaddr("/p2p/\(Self.peer)/") == address)
        let hash = try Multihash(bytes: bytes(Self.peerBytes).dropFirst(3))
        #expect(try Multiaddr("/p2p/\(Multibase.base32.encode([1, 0x72] + hash.bytes))") == address)
        #expect(try Multiaddr("/p2p/\(Multibase.base36.encode([1, 0x72] + hash.bytes))") == address)
        // Not a key, version 0, and cut off.
        for cid in [[1, 0x70] + hash.bytes, [0, 0x72] + hash.bytes, [1], []] {
            #expect(throws: MultiaddrError.self) { try Multiaddr("/p2p/\(Multibase.base32.encode(cid))") }
        }
    }

    @Test("puts addresses into each other and takes them out")
    func encapsulation() throws {
        let outer = try Multiaddr("/ip4/1.2.3.4/tcp/80")
        let inner = try Multiaddr("/tls/ws")
        let both = outer.encapsulating(inner)
        #expect(both.description == "/ip4/1.2.3.4/tcp/80/tls/ws")
        #expect(outer.encapsulating(.tls).encapsulating(.ws) == both)
        #expect(both.decapsulating(inner) == outer)
        #expect(both.decapsulating(try Multiaddr("/tcp/80")).description == "/ip4/1.2.3.4")
        #expect(both.decapsulating(try Multiaddr("/udp/80")) == both)
        #expect(both.decapsulating(Multiaddr(components: [])) == both)
        #expect(inner.decapsulating(both) == inner)
        #expect(both.decapsulating(both).components.isEmpty)
        // The last occurrence counts.
        #expect(both.encapsulating(inner).decapsulating(inner) == both)
    }

    @Test("is text in JSON")
    func codable() throws {
        let address = try Multiaddr("/ip4/1.2.3.4/tcp/80")
        let data = try JSONEncoder().encode([address])
        #expect(try JSONDecoder().decode([Multiaddr].self, from: data) == [address])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Multiaddr].self, from: Data(#"["/ip4/x"]"#.utf8)) }
    }

    @Test("damaged text and bytes never trap; what can be read is written back so that it means the same")
    func damaged() throws {
        var generator = SeededGenerator(seed: 4)
        for vector in Self.vectors {
            for _ in 0..<300 {
                let text = String(decoding: generator.mutated(Array(vector.text.utf8)), as: UTF8.self)
                do throws(MultiaddrError) {
                    let address = try Multiaddr(text)
                    #expect(try Multiaddr(address.description) == address)
                    #expect(try Multiaddr(bytes: address.bytes) == address)
                } catch {
                    #expect(error.offset <= text.utf8.count)
                }
                let encoded = generator.mutated(bytes(vector.encoded))
                do throws(MultiaddrError) { #expect(try Multiaddr(bytes: encoded).bytes == encoded) } catch {}
            }
        }
    }
}
