extension DownloadConfiguration {
    /// ``requestTimeout`` in whole milliseconds, as the whitepaper counts: 10000.
    public var requestTimeoutMilliseconds: Int64 {
        get { self.requestTimeout.wholeMilliseconds }
        set { self.requestTimeout = .milliseconds(newValue) }
    }

    /// ``peerTimeout`` in whole milliseconds, as the whitepaper counts: 30000.
    public var peerTimeoutMilliseconds: Int64 {
        get { self.peerTimeout.wholeMilliseconds }
        set { self.peerTimeout = .milliseconds(newValue) }
    }
}

extension Duration {
    /// Cut, and at most what fits.
    fileprivate var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = self.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, isTooMuch) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return isTooMuch ? (seconds < 0 ? .min : .max) : sum
    }
}
