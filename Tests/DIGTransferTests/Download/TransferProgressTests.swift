import Testing

@testable import DIGTransfer

@Suite("transfer progress")
struct TransferProgressTests {
    private func progress(_ verified: UInt64, of total: UInt64?, rate: Double = 100, isFinished: Bool = false) -> TransferProgress {
        TransferProgress(
            verifiedByteCount: verified, totalByteCount: total, bytesPerSecond: rate, isFinished: isFinished, finishedFileCount: 0, fileCount: 1, peers: [])
    }

    @Test("the fraction is 1 only when the file has its name")
    func fraction() {
        #expect(self.progress(0, of: nil).fraction == 0)
        #expect(self.progress(0, of: 0).fraction == 0)
        #expect(self.progress(250, of: 1000).fraction == 0.25)
        for verified: UInt64 in [1000, 1001, .max] { #expect(self.progress(verified, of: 1000).fraction < 1) }
        for total: UInt64? in [nil, 0, 1000] { #expect(self.progress(0, of: total, isFinished: true).fraction == 1) }
    }

    @Test("what remains is estimated from the rate, where there is one")
    func remaining() {
        #expect(self.progress(500, of: 1000).estimatedRemaining == .seconds(5))
        #expect(self.progress(500, of: 1000, rate: 0).estimatedRemaining == nil)
        #expect(self.progress(500, of: nil).estimatedRemaining == nil)
        #expect(self.progress(1000, of: 1000).estimatedRemaining == .zero)
        #expect(self.progress(1001, of: 1000).estimatedRemaining == .zero)
        #expect(self.progress(0, of: .max, rate: 1e-300).estimatedRemaining == .seconds(1_000_000_000))
        #expect(self.progress(0, of: 1000, rate: 0, isFinished: true).estimatedRemaining == .zero)
    }
}
