/// Numbers of bytes and rates as people read and write them.
public enum ByteCount {
    private static let binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

    /// Three significant digits in binary units (IEC 80000-13): `0 B`, `1023 B`, `1.00 KiB`, `112 MiB`.
    public static func text(_ byteCount: UInt64) -> String {
        if byteCount < 1024 { return "\(byteCount) B" }
        var value = Double(byteCount)
        var unit = 0
        // 1023.5 would be rounded to 1024 of this unit: it is 1.00 of the next.
        while value >= 1023.5, unit + 1 < self.binaryUnits.count {
            value /= 1024
            unit += 1
        }
        let decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
        return "\(self.fixed(value, decimals: decimals)) \(self.binaryUnits[unit])"
    }

    public static func rateText(bytesPerSecond: Double) -> String {
        guard bytesPerSecond.isFinite, bytesPerSecond >= 0.5 else { return "0 B/s" }
        return self.text(UInt64(min(bytesPerSecond.rounded(), 1e18))) + "/s"
    }

    static func fixed(_ value: Double, decimals: Int) -> String {
        var scale = 1
        for _ in 0..<decimals { scale *= 10 }
        let scaled = Int((value * Double(scale)).rounded())
        if decimals == 0 { return "\(scaled)" }
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }

    /// Reads `1500`, `64 KiB`, `1.5MB`, `10m`, with or without `/s`.
    ///
    /// `K`, `M`, `G`, `T` alone and with `iB` are powers of 1024, with `B` powers of 1000. Upper and lower case mean the same.
    ///
    /// - Returns: `nil` if the text is none of these, or the number does not fit.
    public static func parse(_ text: String) -> UInt64? {
        var rest = text.lowercased().filter { $0 != " " }[...]
        if rest.hasSuffix("/s") { rest = rest.dropLast(2) }
        let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = String(rest.dropFirst(number.count))
        guard let multiplier = self.multipliers[unit] else { return nil }

        let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let whole = UInt64(first) else { return nil }
        let (product, overflow) = whole.multipliedReportingOverflow(by: multiplier)
        guard !overflow else { return nil }
        guard parts.count == 2 else { return product }
        guard !parts[1].isEmpty, parts[1].count <= 6, let digits = UInt64(parts[1]) else { return nil }
        var scale: UInt64 = 1
        for _ in parts[1] { scale *= 10 }
        // digits < 10⁶ and multiplier ≤ 2⁴⁰: no overflow.
        let (sum, carry) = product.addingReportingOverflow(digits * multiplier / scale)
        return carry ? nil : sum
    }

    private static let multipliers: [String: UInt64] = [
        "": 1, "b": 1,
        "k": 1 << 10, "kib": 1 << 10, "kb": 1000,
        "m": 1 << 20, "mib": 1 << 20, "mb": 1_000_000,
        "g": 1 << 30, "gib": 1 << 30, "gb": 1_000_000_000,
        "t": 1 << 40, "tib": 1 << 40, "tb": 1_000_000_000_000,
    ]
}
