import DIGContent

/// Text from outside made safe to print, and how wide it is.
public enum TerminalText {
    /// Whether printing the scalar can neither steer a terminal, nor break a line, nor reorder what stands around it.
    public static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value >= 0x20 && scalar.value != 0x7F }
        let text = String(scalar)
        return DisplayText.escaped(text) == text
    }

    /// `text` on one line, with everything harmful escaped.
    public static func singleLine(_ text: String) -> String {
        DisplayText.escaped(text)
    }

    /// Columns the text takes in a terminal: two for East Asian wide characters and emoji, none for combining marks.
    public static func width(of text: String) -> Int {
        text.reduce(0) { $0 + self.width(of: $1) }
    }

    static func width(of character: Character) -> Int {
        var width = 0
        for scalar in character.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .enclosingMark, .format, .control: continue
            default: width = max(width, self.isWide(scalar) ? 2 : 1)
            }
        }
        return width
    }

    /// `text` cut in the middle so that it takes at most `columns`; the end of a name often tells most.
    public static func truncated(_ text: String, to columns: Int, ellipsis: String = "…") -> String {
        if self.width(of: text) <= columns { return text }
        let room = columns - self.width(of: ellipsis)
        guard room > 0 else { return columns > 0 ? String(ellipsis.prefix(columns)) : "" }
        let tailRoom = room / 3
        var head = ""
        var headWidth = 0
        for character in text {
            let width = self.width(of: character)
            if headWidth + width > room - tailRoom { break }
            head.append(character)
            headWidth += width
        }
        var tail: [Character] = []
        var tailWidth = 0
        for character in text.reversed() {
            let width = self.width(of: character)
            if tailWidth + width > room - headWidth { break }
            tail.append(character)
            tailWidth += width
        }
        return head + ellipsis + String(tail.reversed())
    }

    /// `text` with spaces at its end up to `columns`.
    public static func padded(_ text: String, to columns: Int) -> String {
        text + String(repeating: " ", count: max(0, columns - self.width(of: text)))
    }

    /// East Asian Width W and F (Unicode annex 11), by blocks.
    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isEmojiPresentation { return true }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return true
        default: return false
        }
    }
}
