import DIGContent
import Testing

@testable import DIGTransfer

@Suite("a listing put together from parts")
struct ListingAssemblyTests {
    private static let part = TransferLimits.maximumListingPartByteCount

    private static func range(_ request: TransferRequest?) -> Range<Int>? {
        guard case .getListing(let offset, let byteCount)? = request else { return nil }
        return Int(offset)..<Int(offset) + byteCount
    }

    @Test("only lengths that a listing can have are taken")
    func lengths() {
        for byteCount in [0, UInt64(FolderListing.maximumByteCount) + 1, .max] { #expect(ListingAssembly(byteCount: byteCount) == nil) }
        for byteCount in [1, UInt64(FolderListing.maximumByteCount)] { #expect(ListingAssembly(byteCount: byteCount) != nil) }
    }

    @Test("every byte is asked for once, a few parts at a time", arguments: [1, part - 1, part, part + 1, 4 * part, 4 * part + 1, 11 * part - 1])
    func whole(byteCount: Int) throws {
        let listing = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 / 1000) }
        var assembly = try #require(ListingAssembly(byteCount: UInt64(byteCount)))
        var underWay: [Range<Int>] = []
        var asked = 0
        while !assembly.isComplete {
            while let range = Self.range(assembly.nextRequest()) {
                #expect(range.lowerBound == asked && !range.isEmpty && range.count <= Self.part && range.upperBound <= byteCount)
                asked = range.upperBound
                underWay.append(range)
                try #require(underWay.count <= ListingAssembly.pipelinedPartCount)
            }
            #expect(underWay.count == ListingAssembly.pipelinedPartCount || asked == byteCount)
            let next = underWay.removeFirst()
            try assembly.received(Array(listing[next]), at: UInt64(next.lowerBound))
        }
        let isSame = assembly.bytes == listing
        #expect(isSame && asked == byteCount)
        #expect(assembly.nextRequest() == nil)
        #expect(throws: TransferError(.protocolViolation, "")) { try assembly.received([1], at: UInt64(byteCount)) }
    }

    @Test("a part that is not the next, not whole, or not asked for is refused")
    func violations() throws {
        var assembly = try #require(ListingAssembly(byteCount: UInt64(2 * Self.part)))
        let part = [UInt8](repeating: 1, count: Self.part)
        #expect(throws: TransferError(.protocolViolation, "")) { try assembly.received(part, at: 0) }
        #expect(assembly.nextRequest() != nil)
        for (bytes, offset) in [(part, UInt64(Self.part)), (part, .max), ([], 0), (Array(part.dropLast()), 0), (part + [1], 0)] {
            #expect(throws: TransferError(.protocolViolation, "")) { try assembly.received(bytes, at: offset) }
        }
        #expect(assembly.bytes.isEmpty)
        try assembly.received(part, at: 0)
        #expect(!assembly.isComplete)
    }
}
