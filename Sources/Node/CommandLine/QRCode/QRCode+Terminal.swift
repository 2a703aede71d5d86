extension QRCode {
    /// The symbol with its quiet zone as lines of half blocks: one character is one module wide and two high.
    ///
    /// - Parameters:
    ///   - quietZone: Light modules on each side; scanners ask for four (ISO/IEC 18004 §6.3.8), most manage with two.
    ///   - usesColor: Black on white by ANSI escapes, whatever the terminal's colours are. Without, light modules are drawn
    ///     as blocks, which suits a terminal with a dark background.
    public func terminalLines(quietZone: Int = 2, usesColor: Bool) -> [String] {
        stride(from: -quietZone, to: self.size + quietZone, by: 2).map { row in
            var line = usesColor ? "\u{1B}[38;5;16;48;5;231m" : ""
            for column in -quietZone..<self.size + quietZone {
                let upper = self[row, column]
                // An odd height leaves half a line below the symbol, which is drawn light too.
                let lower = self[row + 1, column]
                switch (upper != usesColor, lower != usesColor) {
                case (true, true): line += " "
                case (true, false): line += "▄"
                case (false, true): line += "▀"
                case (false, false): line += "█"
                }
            }
            return usesColor ? line + "\u{1B}[0m" : line
        }
    }

    /// Columns that ``terminalLines(quietZone:usesColor:)`` needs.
    public func terminalWidth(quietZone: Int = 2) -> Int { self.size + 2 * quietZone }
}
