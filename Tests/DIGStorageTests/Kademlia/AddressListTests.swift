import DIGMultiformats
import Testing

@testable import DIGStorage

@Suite("Lists of addresses")
struct AddressListTests {
    @Test("come back as they were, and no strict prefix that cuts an address is one")
    func roundTrip() throws {
        let addresses = [try Multiaddr("/ip4/203.0.113.1/tcp/4001"), try Multiaddr("/dns4/example.org/tcp/443/wss"), try Multiaddr("/p2p-circuit")]
        let bytes = AddressList.encode(addresses)
        #expect(AddressList.decode(bytes) == addresses)
        #expect(AddressList.decode([]) == [])
        var ends: Set<Int> = [0]
        for count in 1..<addresses.count { ends.insert(AddressList.encode(Array(addresses.prefix(count))).count) }
        for count in 0..<bytes.count { #expect((AddressList.decode(Array(bytes.prefix(count))) != nil) == ends.contains(count), "\(count)") }
    }

    @Test("have at most 64, whoever writes them")
    func limit() throws {
        let address = try Multiaddr("/ip4/203.0.113.1/tcp/4001")
        let bytes = AddressList.encode(Array(repeating: address, count: 70))
        #expect(AddressList.decode(bytes)?.count == 64)
        #expect(AddressList.decode(bytes + AddressList.encode([address])) == nil)
    }
}
