import DIGContent
import DIGMultiformats
import DIGTestSupport
import Foundation
import Testing

@Suite("Share link")
struct ShareLinkTests {
    let descriptor: FileDescriptor
    let hash: ContentHash

    init() throws {
        self.descriptor = try FileDescriptor(size: 1_048_577, root: SHA256Digest(hashing: [1]))
        self.hash = self.descriptor.contentHash
    }

    private func code(_ query: String) -> ContentError.Code? {
        do {
            _ = try ShareLink(parsing: "dig:\(self.hash)\(query)")
            return nil
        } catch {
            return error.code
        }
    }

    private func message(_ query: String) -> String {
        do {
            _ = try ShareLink(parsing: "dig:\(self.hash)\(query)")
            return ""
        } catch {
            return error.description
        }
    }

    @Test("a link with everything in it survives the round trip")
    func roundTrip() throws {
        let peers = [try Multiaddr("/ip4/192.0.2.7/tcp/4001"), try Multiaddr("/ip6/2001:db8::1/udp/4001/quic-v1")]
        let link = try ShareLink(
            descriptor: self.descriptor, name: "Ferien & Meer = 100 % schön?#.mp4", sha256: SHA256Digest(hashing: [2]), peers: peers)
        let text = link.description
        #expect(try ShareLink(parsing: text) == link)
        #expect(ShareLink(text) == link)
        #expect(link.descriptor == self.descriptor)
        #expect(text.hasPrefix("dig:\(self.hash)?size=1048577&root=\(self.descriptor.root)&name=Ferien%20%26%20Meer%20%3D%20100%20%25%20sch%C3%B6n%3F%23.mp4&sha256="))
        #expect(text.hasSuffix("&peer=/ip4/192.0.2.7/tcp/4001&peer=/ip6/2001:db8::1/udp/4001/quic-v1"))
        #expect(text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f })
        #expect(try JSONDecoder().decode([ShareLink].self, from: JSONEncoder().encode([link])) == [link])
    }

    @Test("the shortest link is scheme and hash; a folder says so")
    func short() throws {
        #expect(try ShareLink(contentHash: self.hash).description == "dig:\(self.hash)")
        #expect(try ShareLink(parsing: "dig:\(self.hash)") == ShareLink(contentHash: self.hash))
        #expect(try ShareLink(parsing: "DIG:\(self.hash.description.uppercased())") == ShareLink(contentHash: self.hash))
        #expect(try ShareLink(parsing: "dig:1220\(self.hash.digest.hex)") == ShareLink(contentHash: self.hash))
        #expect(try ShareLink(parsing: "dig:\(self.hash)?") == ShareLink(contentHash: self.hash))
        #expect(try ShareLink(parsing: "dig:\(self.hash)#top") == ShareLink(contentHash: self.hash))
        let folder = try ShareLink(contentHash: self.hash, kind: .folder, size: 1 << 50, name: "holiday")
        #expect(folder.description == "dig:\(self.hash)?kind=folder&size=1125899906842624&name=holiday")
        #expect(try ShareLink(parsing: folder.description) == folder)
        #expect(folder.descriptor == nil)
    }

    @Test("parameters that are not known are ignored, whatever they hold")
    func unknown() throws {
        let link = try ShareLink(parsing: "dig:\(self.hash)?future=1&future=2&x&%F0%9F%98%80=%ff&&name=a&=b")
        #expect(link == (try ShareLink(contentHash: self.hash, name: "a")))
    }

    @Test("a hostile value is refused with its parameter and the reason")
    func hostile() {
        let root = self.descriptor.root.hex
        let cases: [(String, String)] = [
            ("size", ""), ("size", "-1"), ("size", "+1"), ("size", "1e9"), ("size", "0x10"), ("size", "1%20"), ("size", "1099511627777"), ("size", "18446744073709551616"),
            ("size", "٣"), ("root", ""), ("root", String(root.dropLast())), ("root", root + "0"), ("root", "g" + root.dropFirst()), ("sha256", "abc"),
            ("sha256", root + "00"), ("kind", "device"), ("kind", ""), ("name", ""), ("name", ".."), ("name", "a/b"), ("name", "..%2f..%2fetc"), ("name", "a%5Cb"),
            ("name", "%00"), ("name", "%1b[2J"), ("name", "a%0Ab"), ("name", String(repeating: "a", count: 256)), ("name", "%"), ("name", "%4"), ("name", "%zz"),
            ("name", "%ff"), ("name", "%c3%28"), ("peer", ""), ("peer", "example.org:80"), ("peer", "/ip4/1.2.3.4/tcp/65536"), ("peer", "/ip4/1.2.3/tcp/1"),
        ]
        for (parameter, value) in cases {
            #expect(self.code("?\(parameter)=\(value)") == .invalidParameter, "\(parameter)=\(value)")
            #expect(self.message("?\(parameter)=\(value)").contains("\"\(parameter)\""), "\(parameter)=\(value)")
        }
        #expect(self.code("?%zz=1") == .malformedLink)
        #expect(self.message("?root=abc").contains("64 hexadecimal digits, this one has 3"))
    }

    @Test("size and root must belong to the content hash, and every parameter but peer occurs once")
    func consistency() {
        let root = self.descriptor.root.hex
        #expect(self.code("?size=1048577&root=\(root)") == nil)
        #expect(self.code("?size=1048576&root=\(root)") == .invalidParameter)
        #expect(self.code("?size=0&root=\(root)") == .invalidParameter)
        #expect(self.code("?size=1048577&root=\(SHA256Digest(hashing: [3]))") == .invalidParameter)
        #expect(self.code("?size=5") == nil && self.code("?root=\(root)") == nil)
        #expect(self.code("?kind=folder&root=\(root)") == .invalidParameter && self.code("?kind=folder&sha256=\(root)") == .invalidParameter)
        for parameter in ["size=1", "root=\(root)", "sha256=\(root)", "name=a", "kind=file"] {
            #expect(self.code("?\(parameter)&\(parameter)") == .invalidParameter, "\(parameter)")
        }
    }

    @Test("at most 16 peers and 4 KiB")
    func limits() throws {
        let peer = "&peer=/ip4/192.0.2.1/tcp/1"
        #expect(self.code("?" + String(repeating: peer, count: 16)) == nil)
        #expect(self.code("?" + String(repeating: peer, count: 17)) == .invalidParameter)
        let address = try Multiaddr("/ip4/192.0.2.1/tcp/1")
        #expect(throws: ContentError(.invalidParameter, "")) { try ShareLink(contentHash: self.hash, peers: Array(repeating: address, count: 17)) }
        let fixed = "dig:\(self.hash)?x=".utf8.count
        #expect(self.code("?x=" + String(repeating: "a", count: 4096 - fixed)) == nil)
        #expect(self.code("?x=" + String(repeating: "a", count: 4097 - fixed)) == .malformedLink)
    }

    @Test("a token goes through as it is, once, and only in characters that need no encoding")
    func token() throws {
        let token = "dig-token-" + String(repeating: "aZ09-_.~", count: 40)
        let plain = try ShareLink(contentHash: self.hash, name: "a", peers: [Multiaddr("/ip4/192.0.2.1/tcp/1")])
        let link = try plain.withToken(token)
        #expect(link.token == token && link.peers == plain.peers && link != plain)
        #expect(try link.withToken(nil) == plain)
        #expect("\(link)".hasSuffix("&token=\(token)"))
        #expect(try ShareLink(parsing: "\(link)") == link)
        #expect(self.code("?token=a&token=b") == .invalidParameter)
        for value in ["", "a%20b", "a+b", "a/b", "ä", String(repeating: "a", count: 3073)] { #expect(self.code("?token=\(value)") == .invalidParameter, "\(value.prefix(20))") }
        #expect(self.code("?token=" + String(repeating: "a", count: 3072)) == nil)
    }

    @Test("a hash of the wrong length or kind has an error of its own")
    func wrongHash() {
        func code(_ text: String) -> ContentError.Code? {
            do {
                _ = try ShareLink(parsing: text)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code("dig:\(self.hash.description.dropLast())") == .wrongHashLength)
        #expect(code("dig:\(self.hash)a?name=x") == .wrongHashLength)
        #expect(code("dig:1220\(self.hash.digest.hex.dropLast(2))") == .wrongHashLength)
        #expect(code("dig:\(self.hash.digest)") == .unsupportedHash)
        #expect(code("dig:") == .malformedHash)
        for text in ["", "dig", "http://example.org", "digx:abc", " dig:\(self.hash)"] { #expect(code(text) == .malformedLink) }
    }

    @Test("no strict prefix of a link traps, and each that parses is a link")
    func prefixes() throws {
        let link = try ShareLink(descriptor: self.descriptor, name: "schön.txt", sha256: SHA256Digest(hashing: [2]), peers: [Multiaddr("/ip4/192.0.2.7/tcp/4001")])
        let text = link.description
        for count in 0..<text.count {
            guard let parsed = ShareLink(String(text.prefix(count))) else { continue }
            #expect(parsed.contentHash == self.hash && parsed != link)
        }
    }

    @Test("damaged links never trap; what parses is a link that parses again, and no message can steer a terminal")
    func damaged() throws {
        var random = SeededGenerator(seed: 12)
        let valid = try ShareLink(
            descriptor: self.descriptor, name: "a b.mp4", sha256: SHA256Digest(hashing: [2]), peers: [Multiaddr("/ip4/192.0.2.7/tcp/4001")])
        for _ in 0..<3000 {
            let text = String(decoding: random.mutated(Array(valid.description.utf8)), as: UTF8.self)
            do throws(ContentError) {
                let link = try ShareLink(parsing: text)
                #expect(try ShareLink(parsing: link.description) == link)
            } catch {
                #expect(!error.message.unicodeScalars.contains { $0.value < 0x20 })
            }
            _ = try? ContentReference(parsing: text)
        }
    }
}
