from plugins import *  # in a checkout, budgetkit.plugins is ../plugins
